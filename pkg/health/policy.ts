/*
 * Derives the status of a check from its outcomes, in pure functions.
 */

/** Published reasons of a failure. Hosts, URLs and the messages of drivers go to the log only. */
export const REASONS = [
  'pending',
  'timeout',
  'refused',
  'unresolved',
  'unauthorized',
  'unhealthy',
  'migrations',
  'stale',
  'error',
] as const
export type Reason = (typeof REASONS)[number]

export type Outcome =
  | { readonly ok: true; readonly at: number; readonly latencyMs: number }
  | { readonly ok: false; readonly at: number; readonly reason: Reason }

/** The last runs of a check, oldest first. */
export type History = readonly Outcome[]

/** Length of a history: two minutes at the default interval. */
const REMEMBERED = 60

export function remember(history: History, outcome: Outcome): History {
  return [...history.slice(1 - REMEMBERED), outcome]
}

export interface CheckState {
  readonly status: 'ok' | 'fail'
  readonly reason: Reason
  /** Number of consecutive outcomes that contradict `status`. */
  readonly against: number
  /** Latency of the last successful run, in milliseconds. */
  readonly latencyMs: number
  /** End of the last run, in milliseconds since the epoch. 0 before the first run has ended. */
  readonly at: number
}

/** State of a check until its first run has ended. */
export const PENDING: CheckState = { status: 'fail', reason: 'pending', against: 0, latencyMs: 0, at: 0 }

export interface Thresholds {
  /** Consecutive failures that turn `ok` into `fail`. */
  readonly fall: number
  /** Consecutive successes that turn `fail` into `ok`. */
  readonly rise: number
}

/** The first outcome sets the status. Afterwards only `fall` or `rise` consecutive outcomes change it. */
export function nextState(state: CheckState, outcome: Outcome, { fall, rise }: Thresholds): CheckState {
  const { at } = outcome
  const latencyMs = outcome.ok ? outcome.latencyMs : state.latencyMs
  const reason = outcome.ok ? state.reason : outcome.reason
  if (outcome.ok === (state.status === 'ok')) return { ...state, reason, latencyMs, at, against: 0 }
  const against = state.against + 1
  const needed = state.at === 0 ? 1 : outcome.ok ? rise : fall
  if (against < needed) return { ...state, reason, latencyMs, at, against }
  return { status: outcome.ok ? 'ok' : 'fail', reason, latencyMs, at, against: 0 }
}

/** Returns the published form of a check: times in Unix seconds, latency in milliseconds with one decimal. */
export type CheckReport =
  | { readonly status: 'ok'; readonly critical: boolean; readonly latencyMs: number; readonly checkedAt: number }
  | { readonly status: 'fail'; readonly critical: boolean; readonly reason: Reason; readonly checkedAt?: number }

/** A stale result is a failure: the runs have stopped, for example because the event loop is blocked. */
export function report(state: CheckState, critical: boolean, isStale: boolean): CheckReport {
  if (state.at === 0) return { status: 'fail', critical, reason: 'pending' }
  const checkedAt = Math.floor(state.at / 1000)
  if (isStale) return { status: 'fail', critical, reason: 'stale', checkedAt }
  if (state.status === 'fail') return { status: 'fail', critical, reason: state.reason, checkedAt }
  return { status: 'ok', critical, latencyMs: Math.round(state.latencyMs * 10) / 10, checkedAt }
}

/** Returns `fail` when a critical check fails, and `ok` otherwise. A service without checks is `ok`. */
export function aggregate(reports: Iterable<CheckReport>): 'ok' | 'fail' {
  for (const { status, critical } of reports) if (critical && status === 'fail') return 'fail'
  return 'ok'
}

const REASON_BY_CODE: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  EPIPE: 'refused',
  ENOTFOUND: 'unresolved',
  EAI_AGAIN: 'unresolved',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'refused',
  ENETUNREACH: 'refused',
  // https://www.postgresql.org/docs/current/errcodes-appendix.html
  '28000': 'unauthorized',
  '28P01': 'unauthorized',
  '42501': 'unauthorized',
  '57P03': 'refused',
}

/**
 * Returns the published reason of an error, from the first of these that exists: its `reason`, its system or SQLSTATE
 * code, the same of its causes, and `error`.
 */
export function findReason(error: unknown): Reason {
  for (let current = error, depth = 0; Error.isError(current) && depth < 5; current = current.cause, depth++) {
    const { reason, code, name, message } = current as Error & { reason?: Reason; code?: unknown }
    if (reason !== undefined && REASONS.includes(reason)) return reason
    if (name === 'TimeoutError') return 'timeout'
    // Redis puts its error code into the first word of the message.
    if (/^(WRONGPASS|NOAUTH|NOPERM) /.test(message)) return 'unauthorized'
    // Node tries IPv6 and IPv4 at once and reports both failures together.
    const first = (current as Partial<AggregateError>).errors?.[0]?.code
    const known = REASON_BY_CODE[String(code ?? first)]
    if (known !== undefined) return known
  }
  return 'error'
}
