/*
 * What a check's outcomes mean. Pure functions: no clock, no timer, no I/O.
 */

/** Why a check fails, as the world may know it. Hosts, URLs and drivers' texts go to the log only. */
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

/** A check's last runs, oldest first. */
export type History = readonly Outcome[]

/** Runs that a history holds: two minutes at the default interval. */
const REMEMBERED = 60

export function remember(history: History, outcome: Outcome): History {
  return [...history.slice(1 - REMEMBERED), outcome]
}

export interface CheckState {
  readonly status: 'ok' | 'fail'
  readonly reason: Reason
  /** Outcomes in a row that contradict `status`. */
  readonly against: number
  /** Of the last run that succeeded, in milliseconds. */
  readonly latencyMs: number
  /** When the last run ended, in milliseconds since the epoch; 0 before the first. */
  readonly at: number
}

/** A check counts as failing until its first run has ended. */
export const PENDING: CheckState = { status: 'fail', reason: 'pending', against: 0, latencyMs: 0, at: 0 }

export interface Thresholds {
  /** Failures in a row that turn `ok` into `fail`. */
  readonly fall: number
  /** Successes in a row that turn `fail` into `ok`. */
  readonly rise: number
}

/** The first outcome counts at once; after it, only `fall` or `rise` outcomes in a row change the status. */
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

/** One check as it is published: times in Unix seconds, latency in milliseconds with one decimal. */
export type CheckReport =
  | { readonly status: 'ok'; readonly critical: boolean; readonly latencyMs: number; readonly checkedAt: number }
  | { readonly status: 'fail'; readonly critical: boolean; readonly reason: Reason; readonly checkedAt?: number }

/** A stale result was overtaken by something, such as a blocked event loop, and says nothing about now. */
export function report(state: CheckState, critical: boolean, isStale: boolean): CheckReport {
  if (state.at === 0) return { status: 'fail', critical, reason: 'pending' }
  const checkedAt = Math.floor(state.at / 1000)
  if (isStale) return { status: 'fail', critical, reason: 'stale', checkedAt }
  if (state.status === 'fail') return { status: 'fail', critical, reason: state.reason, checkedAt }
  return { status: 'ok', critical, latencyMs: Math.round(state.latencyMs * 10) / 10, checkedAt }
}

/** `ok` unless a critical check fails. No checks at all is `ok`: nothing is wanted, so nothing is missing. */
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
 * The published reason of an error: its own `reason` when a check gave one, else its system or
 * SQLSTATE code, else its causes', else `error`.
 */
export function reasonOf(error: unknown): Reason {
  for (let current = error, depth = 0; Error.isError(current) && depth < 5; current = current.cause, depth++) {
    const { reason, code, name, message } = current as Error & { reason?: Reason; code?: unknown }
    if (reason !== undefined && REASONS.includes(reason)) return reason
    if (name === 'TimeoutError') return 'timeout'
    // Redis has no codes beside the first word of its message.
    if (/^(WRONGPASS|NOAUTH|NOPERM) /.test(message)) return 'unauthorized'
    // Node tries IPv6 and IPv4 at once and reports both failures together.
    const first = (current as Partial<AggregateError>).errors?.[0]?.code
    const known = REASON_BY_CODE[String(code ?? first)]
    if (known !== undefined) return known
  }
  return 'error'
}
