import { TimeoutError, withTimeout } from '../with-timeout.ts'
import { findReason, nextState, type Outcome, PENDING, type Reason, report, type Thresholds } from './policy.ts'

/**
 * Resolves when the dependency is healthy and rejects otherwise. The `reason` property of the error is published. A
 * check must stop and release its resources when `signal` aborts.
 */
export type Check = (signal: AbortSignal) => Promise<unknown>

export interface WatchedCheck {
  readonly name: string
  readonly check: Check
  /** A critical check makes the aggregate fail. Evaluated for each snapshot. @default () => true */
  readonly critical?: () => boolean
}

export interface HealthEvent {
  readonly name: string
  readonly status: 'ok' | 'fail'
  readonly critical: boolean
  readonly reason?: Reason
  /** The cause of a failure. */
  readonly error?: unknown
}

export interface HealthOptions {
  /** Called at each run, because the settings may change. A new interval applies from the next run. */
  readonly settings: () => Thresholds & {
    /** Milliseconds from the start of one run to the start of the next. Jitter shortens it by up to a tenth. */
    readonly intervalMs: number
    /** Longest run, in milliseconds. A longer run fails with reason `timeout`, even if the check settles later. */
    readonly timeoutMs: number
  }
  /** Called when the first run of a check ends, when its status changes, and when a failure has a new reason. */
  readonly onEvent?: (event: HealthEvent) => void
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly clock?: () => number
  /** Returns a number from 0 to 1, which spreads the runs of many instances. @default Math.random */
  readonly random?: () => number
}

export type Monitor = ReturnType<typeof createMonitor>

/**
 * Runs one check periodically in the background, one run at a time. A check that ignores its abort is not started
 * again: each further interval counts as one more timeout.
 */
export function createMonitor(
  { name, check, critical = () => true }: WatchedCheck,
  { settings, onEvent, clock = () => performance.now(), random = Math.random }: HealthOptions,
  onRun: () => void,
) {
  let state = PENDING
  /** The status and the reasons that events have reported since the status changed. */
  const reported = new Set<'ok' | Reason>()
  let stopped = false
  let abort = new AbortController()
  let unsettled: Promise<unknown> | undefined
  let timer: NodeJS.Timeout | undefined
  let staleAt = Infinity

  async function run(): Promise<void> {
    const { intervalMs, timeoutMs } = settings()
    const startedAt = clock()
    const nextAt = startedAt + intervalMs * (1 - random() / 10)
    let outcome: Outcome
    let error: unknown
    try {
      await attempt(timeoutMs)
      outcome = { ok: true, at: Date.now(), latencyMs: clock() - startedAt }
    } catch (cause) {
      error = cause
      if (error instanceof TimeoutError) abort.abort(error)
      outcome = { ok: false, at: Date.now(), reason: findReason(cause) }
    }
    if (stopped) return
    // A result is stale after two missing runs: the process was blocked or suspended.
    staleAt = clock() + 2 * (intervalMs + timeoutMs) + 1_000
    record(outcome, error)
    timer = setTimeout(run, Math.max(0, nextAt - clock()))
  }

  async function attempt(timeoutMs: number): Promise<void> {
    const isLate = unsettled !== undefined
    if (!isLate) abort = new AbortController()
    // The async function turns a synchronous throw into a rejection.
    unsettled ??= (async () => check(abort.signal))().finally(() => {
      unsettled = undefined
    })
    await withTimeout(unsettled, timeoutMs)
    if (isLate) throw new TimeoutError('succeeded after the timeout')
  }

  function record(outcome: Outcome, error: unknown): void {
    const previous = state
    state = nextState(previous, outcome, settings())
    onRun()
    const { status, reason } = state
    const subject = status === 'ok' ? status : reason
    if (status !== previous.status) reported.clear()
    if (reported.has(subject)) return
    reported.add(subject)
    onEvent?.({ name, status, critical: critical(), ...(status === 'fail' && { reason, error }) })
  }

  return {
    start: () => void run(),
    /** Aborts the current run. Later runs neither start nor report. */
    stop() {
      stopped = true
      clearTimeout(timer)
      abort.abort()
    },
    report: () => report(state, critical(), clock() > staleAt),
    history: () => state.history,
  }
}
