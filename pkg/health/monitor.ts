import { TimeoutError, withTimeout } from '../with-timeout.ts'
import {
  type CheckState,
  findReason,
  type History,
  nextState,
  type Outcome,
  PENDING,
  remember,
  type Thresholds,
} from './policy.ts'

/**
 * Resolves when the dependency is healthy and rejects otherwise. The `reason` property of the error is published. A
 * check must stop and release its resources when `signal` aborts.
 */
export type Check = (signal: AbortSignal) => Promise<unknown>

export interface MonitorSettings extends Thresholds {
  /**
   * Longest time from the start of one run to the start of the next, in milliseconds. Jitter shortens it by up to
   * a tenth. A failure is detected within `fall × intervalMs + timeoutMs`.
   */
  readonly intervalMs: number
  /** Longest run, in milliseconds. A longer run fails with reason `timeout`, even if the check settles later. */
  readonly timeoutMs: number
}

export interface MonitorOptions {
  readonly check: Check
  /** Returns the settings. Called at each run, because they may change. A new interval applies from the next run on. */
  readonly settings: () => MonitorSettings
  /** Called after each run with the state before and after it, and the error of a run that failed. */
  readonly onOutcome: (next: CheckState, previous: CheckState, error?: unknown) => void
  /** Milliseconds since the epoch, for published times. */
  readonly now?: () => number
  /** Monotonic clock in milliseconds, for durations. */
  readonly clock?: () => number
  /** Returns a number from 0 to 1, which spreads the runs of many instances. */
  readonly random?: () => number
}

export interface Monitor {
  start(): void
  /** Aborts the current run. Later runs neither start nor report. */
  stop(): void
  state(): CheckState
  /** Returns the state, a new object after each run. */
  history(): History
  /** Tells whether the last result is too old, by the settings that scheduled the next run. */
  isStale(): boolean
}

export const monotonicMs = () => performance.now()

/** A result is stale after two missing runs: the process was blocked or suspended. */
const staleAfter = ({ intervalMs, timeoutMs }: MonitorSettings) => 2 * (intervalMs + timeoutMs) + 1_000

/**
 * Runs one check periodically in the background, one run at a time. A check that ignores its abort is not started
 * again: each further interval counts as one more timeout.
 */
export function createMonitor(options: MonitorOptions): Monitor {
  const { check, settings, onOutcome, now = Date.now, clock = monotonicMs, random = Math.random } = options
  let state = PENDING
  let history: History = []
  let stopped = false
  let current: AbortController | undefined
  let underWay: Promise<unknown> | undefined
  let timer: NodeJS.Timeout | undefined
  let nextAt = 0
  let recordedAt = 0
  let timedWith: MonitorSettings | undefined

  function record(outcome: Outcome, used: MonitorSettings, error?: unknown): void {
    if (stopped) return
    timedWith = used
    recordedAt = clock()
    const previous = state
    state = nextState(previous, outcome, settings())
    history = remember(history, outcome)
    onOutcome(state, previous, error)
    timer = setTimeout(run, Math.max(0, nextAt - clock()))
  }

  async function run(): Promise<void> {
    const used = settings()
    const { intervalMs, timeoutMs } = used
    const abort = new AbortController()
    const startedAt = clock()
    nextAt = startedAt + intervalMs * (1 - random() / 10)
    current = abort
    const overdue = underWay !== undefined
    underWay ??= attempt(check, abort.signal).finally(() => {
      underWay = undefined
    })
    try {
      await withTimeout(underWay, timeoutMs)
      // The run has already failed with a timeout, so its late success does not count.
      if (overdue) throw new TimeoutError('succeeded after the timeout')
      record({ ok: true, at: now(), latencyMs: clock() - startedAt }, used)
    } catch (error) {
      if (error instanceof TimeoutError) abort.abort(error)
      record({ ok: false, at: now(), reason: findReason(error) }, used, error)
    }
  }

  return {
    start: () => void run(),
    stop() {
      stopped = true
      clearTimeout(timer)
      current?.abort()
    },
    state: () => state,
    history: () => history,
    isStale: () => timedWith !== undefined && clock() - recordedAt > staleAfter(timedWith),
  }
}

/** Turns a synchronous throw into a rejection, and handles late rejections. */
async function attempt(check: Check, signal: AbortSignal): Promise<void> {
  await check(signal)
}
