import type { Random } from './pick.ts'

/**
 * Decides when an instance receives no more requests because its connections fail. Every function is pure.
 *
 * An ejection lasts 2 s × the number of ejections in a row, with jitter. Then a probe decides: a success ends the
 * ejection, a failure repeats the probe after 2 s. Failed probes do not count as ejections, so an instance that was away
 * for long is back soon after its return, and only an instance that fails again after its return stays away for longer.
 * The scheme is Envoy's outlier detection, which has 30 s × n; here a probe follows, so the time may be shorter:
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
 */
export interface Ejection {
  /** Consecutive connection failures. */
  readonly failures: number
  /** Ejections in a row. */
  readonly ejections: number
  /** Since when the instance has been in use. */
  readonly activeSince: number
  /** Time of the next probe while the instance is ejected. */
  readonly probeAt: number | undefined
}

export const ACTIVE: Ejection = { failures: 0, ejections: 0, activeSince: 0, probeAt: undefined }

/** `failed`: the connection failed. `ok`: the instance sent a response, whatever its status. */
export type ConnectionEvent = 'ok' | 'failed' | 'probe ok' | 'probe failed'

export interface EjectionContext {
  readonly now: number
  readonly random: Random
  /** False for the last instance in use: with none left, no request could find out that they are back. */
  readonly mayEject: boolean
}

const MAX_FAILURES = 3
const BASE_MS = 2_000
/** Half a minute at most. */
const MAX_EJECTIONS = 15
/** Each period in use forgets one ejection, as Envoy's `interval` does. */
const FORGET_MS = 10_000

export function nextEjection(
  state: Ejection,
  event: ConnectionEvent,
  { now, random, mayEject }: EjectionContext,
): Ejection {
  const jitter = 0.75 + random() / 2
  if (state.probeAt !== undefined) {
    if (event === 'probe ok') return { ...state, failures: 0, activeSince: now, probeAt: undefined }
    if (event === 'probe failed') return { ...state, probeAt: now + BASE_MS * jitter }
    // Requests from before the ejection end later.
    return state
  }
  if (event === 'ok' || event === 'probe ok') return state.failures === 0 ? state : { ...state, failures: 0 }
  const failures = state.failures + 1
  if (failures < MAX_FAILURES || !mayEject) return { ...state, failures }
  const forgotten = Math.floor((now - state.activeSince) / FORGET_MS)
  const ejections = Math.min(MAX_EJECTIONS, Math.max(0, state.ejections - forgotten) + 1)
  return { ...state, failures, ejections, probeAt: now + BASE_MS * ejections * jitter }
}

/** Whether the instance is ejected, or would be if it were not the last one in use. */
export const isFailing = ({ failures, probeAt }: Ejection) => probeAt !== undefined || failures >= MAX_FAILURES
