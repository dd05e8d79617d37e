/**
 * Published reasons of a failure, with the system codes and SQLSTATE codes that map to each reason. Hosts, URLs and the
 * messages of drivers go to the log only. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const CODES = {
  pending: [],
  timeout: ['ETIMEDOUT'],
  refused: ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', '57P03'],
  unresolved: ['ENOTFOUND', 'EAI_AGAIN'],
  unauthorized: ['28000', '28P01', '42501'],
  unhealthy: [],
  migrations: [],
  stale: [],
  error: [],
}
export type Reason = keyof typeof CODES
const REASONS = Object.entries(CODES) as [Reason, readonly unknown[]][]

/** The result of one run. `at` is its end, in milliseconds since the epoch. */
export type Outcome =
  | { readonly ok: true; readonly at: number; readonly latencyMs: number }
  | { readonly ok: false; readonly at: number; readonly reason: Reason }

/** The last runs of a check, oldest first: two minutes at the default interval. */
export type History = readonly Outcome[]
const MAX_HISTORY = 60

export interface CheckState {
  readonly status: 'ok' | 'fail'
  /** Reason of the last failure. */
  readonly reason: Reason
  /** Latency of the last success, in milliseconds. */
  readonly latencyMs: number
  /** Number of consecutive outcomes that contradict `status`. */
  readonly against: number
  readonly history: History
}

/** State of a check until its first run has ended. */
export const PENDING: CheckState = { status: 'fail', reason: 'pending', latencyMs: 0, against: 0, history: [] }

export interface Thresholds {
  /** Consecutive failures that turn `ok` into `fail`. */
  readonly fall: number
  /** Consecutive successes that turn `fail` into `ok`. */
  readonly rise: number
}

/** The first outcome sets the status. Afterwards only `fall` or `rise` consecutive outcomes change it. */
export function nextState(state: CheckState, outcome: Outcome, { fall, rise }: Thresholds): CheckState {
  const status = outcome.ok ? 'ok' : 'fail'
  const threshold = outcome.ok ? rise : fall
  const against = status === state.status ? 0 : state.against + 1
  const isReached = state.history.length === 0 || against >= threshold
  return {
    status: isReached ? status : state.status,
    reason: outcome.ok ? state.reason : outcome.reason,
    latencyMs: outcome.ok ? outcome.latencyMs : state.latencyMs,
    against: isReached ? 0 : against,
    history: [...state.history.slice(1 - MAX_HISTORY), outcome],
  }
}

/** The published form of a check: times in Unix seconds, latency in milliseconds with one decimal. */
export type CheckReport =
  | { readonly status: 'ok'; readonly critical: boolean; readonly latencyMs: number; readonly checkedAt: number }
  | { readonly status: 'fail'; readonly critical: boolean; readonly reason: Reason; readonly checkedAt?: number }

/** A stale result is a failure: the runs have stopped, for example because the event loop is blocked. */
export function report(state: CheckState, critical: boolean, isStale: boolean): CheckReport {
  const { status, reason, latencyMs, history } = state
  const last = history.at(-1)
  if (last === undefined) return { status: 'fail', critical, reason }
  const checkedAt = Math.floor(last.at / 1000)
  if (isStale) return { status: 'fail', critical, reason: 'stale', checkedAt }
  if (status === 'fail') return { status, critical, reason, checkedAt }
  return { status, critical, latencyMs: Math.round(latencyMs * 10) / 10, checkedAt }
}

/** Returns `fail` when a critical check fails, and `ok` otherwise. A service without checks is `ok`. */
export function aggregate(reports: readonly CheckReport[]): 'ok' | 'fail' {
  return reports.some(({ status, critical }) => critical && status === 'fail') ? 'fail' : 'ok'
}

/** Returns the published reason of an error or of one of its causes, and `error` when none of them has a reason. */
export function findReason(error: unknown): Reason {
  for (let current = error, depth = 0; Error.isError(current) && depth < 5; current = current.cause, depth++) {
    const { reason, code, name, message, errors } = current as Partial<AggregateError> & Record<string, unknown>
    if (REASONS.some(([known]) => known === reason)) return reason as Reason
    if (name === 'TimeoutError') return 'timeout'
    // The first word of a Redis error message is its error code.
    if (/^(WRONGPASS|NOAUTH|NOPERM) /.test(String(message))) return 'unauthorized'
    // Node tries IPv6 and IPv4 together, and reports both failures in one error.
    const first = code ?? errors?.[0]?.code
    const known = REASONS.find(([, codes]) => codes.includes(first))
    if (known) return known[0]
  }
  return 'error'
}
