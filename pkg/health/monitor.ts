import { TimeoutError, withTimeout } from '../with-timeout.ts'
import {
  type CheckState,
  type History,
  nextState,
  type Outcome,
  PENDING,
  reasonOf,
  remember,
  type Thresholds,
} from './policy.ts'

/**
 * Resolves when the dependency answered as it should and rejects otherwise; an error's `reason`
 * property names what is published. Must give up when `signal` aborts, and release what it holds.
 */
export type Check = (signal: AbortSignal) => Promise<unknown>

export interface MonitorSettings extends Thresholds {
  /**
   * Longest time from the start of one run to the start of the next, in milliseconds; up to a tenth
   * less, by chance. A dependency that dies is seen within `fall × intervalMs + timeoutMs`.
   */
  readonly intervalMs: number
  /** After this a run has failed with reason `timeout`, whether or not the check settles. */
  readonly timeoutMs: number
}

export interface MonitorOptions {
  readonly check: Check
  /** Asked for at each run, because they may change between two; a new interval counts from the next run on. */
  readonly settings: () => MonitorSettings
  /** Called after each run with the state before and after it, and the error of a run that failed. */
  readonly onOutcome: (next: CheckState, previous: CheckState, error?: unknown) => void
  /** Milliseconds since the epoch, for what is shown. */
  readonly now?: () => number
  /** Milliseconds of a clock that no time server sets, for durations. */
  readonly clock?: () => number
  /** From 0 to 1; spreads the runs of many instances. */
  readonly random?: () => number
}

export interface Monitor {
  start(): void
  /** No run starts and none is reported after this; one under way is aborted. */
  stop(): void
  state(): CheckState
  /** Another object after each run. */
  history(): History
  /** The last result is too old, by the settings with which the next run was timed. */
  isStale(): boolean
}

export const monotonicMs = () => performance.now()

/** Two runs that were due and did not report: the process was blocked or suspended. */
const staleAfter = ({ intervalMs, timeoutMs }: MonitorSettings) => 2 * (intervalMs + timeoutMs) + 1_000

/**
 * Runs one check in the background, for ever, one run at a time. A check that ignores its abort is
 * not started again: each interval that it outlives counts as one more timeout.
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
      // It answered a run that has failed already; how long that took is known only to be too long.
      if (overdue) throw new TimeoutError('answered after its time')
      record({ ok: true, at: now(), latencyMs: clock() - startedAt }, used)
    } catch (error) {
      if (error instanceof TimeoutError) abort.abort(error)
      record({ ok: false, at: now(), reason: reasonOf(error) }, used, error)
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

/** A check that throws at once is one that rejects, and a late rejection has its listener. */
async function attempt(check: Check, signal: AbortSignal): Promise<void> {
  await check(signal)
}
