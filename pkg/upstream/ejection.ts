import type { Random } from './pick.ts'

/**
 * Decides when an instance is ejected, so that it gets no requests, because its connections fail. Every function is
 * pure.
 *
 * An ejection lasts 2 s × the number of consecutive ejections, with jitter. Then a probe decides: a success ends the
 * ejection, and a failure leads to another probe after 2 s. Failed probes do not count as ejections. So an instance is
 * in use soon after a long outage, and only an instance that fails again after its return is ejected for longer.
 * Envoy's outlier detection works in the same way with 30 s × n. Here the time may be shorter, because a probe instead
 * of a request ends the ejection: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
 */
export interface Ejection {
  /** Consecutive connection failures. */
  readonly failures: number
  /** Consecutive ejections. */
  readonly ejections: number
  /** Time since which the instance has been in use, in milliseconds. */
  readonly activeSince: number
  /** Time of the next probe of an ejected instance, in milliseconds. Undefined while the instance is in use. */
  readonly probeAt: number | undefined
}

export const ACTIVE: Ejection = { failures: 0, ejections: 0, activeSince: 0, probeAt: undefined }

/** `failed`: the connection failed. `ok`: the instance sent a response, whatever its status. */
export type ConnectionEvent = 'ok' | 'failed' | 'probe ok' | 'probe failed'

export interface EjectionContext {
  readonly now: number
  readonly random: Random
  /** False for the last instance in use. It stays in use, because no other instance could serve the requests. */
  readonly mayEject: boolean
}

const MAX_FAILURES = 3
const BASE_MS = 2_000
/** Limits an ejection to 30 s. */
const MAX_EJECTIONS = 15
/** Time in use that reduces the count of ejections by one, in milliseconds. Envoy's `interval` does the same. */
const FORGET_MS = 10_000

/** Ends an ejection. */
export const reinstate = (state: Ejection, now: number): Ejection => ({
  ...state,
  failures: 0,
  activeSince: now,
  probeAt: undefined,
})

export function nextEjection(
  state: Ejection,
  event: ConnectionEvent,
  { now, random, mayEject }: EjectionContext,
): Ejection {
  const jitter = 0.75 + random() / 2
  if (state.probeAt !== undefined) {
    if (event === 'probe ok') return reinstate(state, now)
    if (event === 'probe failed') return { ...state, probeAt: now + BASE_MS * jitter }
    // Requests that began before the ejection may end after it.
    return state
  }
  if (event === 'ok' || event === 'probe ok') return state.failures === 0 ? state : { ...state, failures: 0 }
  const failures = state.failures + 1
  if (failures < MAX_FAILURES || !mayEject) return { ...state, failures }
  const forgotten = Math.floor((now - state.activeSince) / FORGET_MS)
  const ejections = Math.min(MAX_EJECTIONS, Math.max(0, state.ejections - forgotten) + 1)
  return { ...state, failures, ejections, probeAt: now + BASE_MS * ejections * jitter }
}

/** Returns true for an ejected instance, and for an instance that stays in use only because it is the last. */
export const isFailing = ({ failures, probeAt }: Ejection) => probeAt !== undefined || failures >= MAX_FAILURES
