import { TimeoutError, withTimeout } from '../with-timeout.ts'
import { type JobLeases, keepLease } from './lease.ts'

export interface Run {
  /** Aborts at the timeout, when the lease is lost, and when the service stops. The work must then end. */
  readonly signal: AbortSignal
  /** Increases with each run on any instance. A write can compare it to reject an older run (a fencing token). */
  readonly run: number
}

export type JobResult = 'ok' | 'failed' | 'timeout' | 'lease lost' | 'stopped'

export type JobEvent =
  | { readonly type: 'run started'; readonly job: string }
  | {
      readonly type: 'run ended'
      readonly job: string
      readonly result: JobResult
      readonly durationMs: number
      readonly err?: unknown
    }
  /** The store of the leases has failed. Reported once until the store works again. */
  | { readonly type: 'leases unavailable'; readonly job: string; readonly err: unknown }
  | { readonly type: 'leases available'; readonly job: string }

export interface JobOptions {
  /** Unique within the database. */
  readonly name: string
  /** Milliseconds from the start of one run to the start of the next, on any instance. */
  readonly intervalMs: number
  /** Longest run, in milliseconds. */
  readonly timeoutMs: number
  readonly work: (run: Run) => Promise<unknown>
  readonly leases: JobLeases
  /** Largest random delay of each attempt, in milliseconds. @default a tenth of intervalMs, at most 5_000 */
  readonly jitterMs?: number
  /** Time after which another instance may run the job of a killed instance, in milliseconds. @default 30_000 */
  readonly leaseMs?: number
  readonly onEvent?: (event: JobEvent) => void
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly clock?: () => number
  /** Returns a number from 0 to 1. @default Math.random */
  readonly random?: () => number
}

/** Longest wait between two attempts, in milliseconds. `setTimeout` cannot wait longer than 24 days. */
const MAX_WAIT_MS = 3_600_000

/** Time for the run in progress to finish during a stop, before it is aborted, in milliseconds. */
const FINISH_MS = 5_000

/** Longest stop of a job, in milliseconds: an aborted run has one second to end. */
export const STOP_TIMEOUT_MS = FINISH_MS + 1_000

/** The signal of a run aborts with this reason. */
class Ended extends Error {
  override readonly name = 'JobEnded'
  readonly result: JobResult
  constructor(result: JobResult, cause?: unknown) {
    super(`the run of the job has ended: ${result}`, { cause })
    this.result = result
  }
}

/**
 * Creates a periodic job, which one instance at a time runs, as a part of the lifecycle. Runs in one process never
 * overlap. Runs on different instances do not overlap when the work obeys its signal. After the kill of an instance,
 * another instance runs the job again, so the work must tolerate a repetition. After a drain, no further run starts.
 * The stop waits for the run in progress.
 */
export function createJob(options: JobOptions) {
  const { name, intervalMs, timeoutMs, work, leases, leaseMs = 30_000 } = options
  const { jitterMs = Math.min(intervalMs / 10, 5_000) } = options
  const { onEvent = () => {}, clock = () => performance.now(), random = Math.random } = options
  /** Wait after a failure of the store. */
  const retryMs = Math.min(intervalMs, leaseMs)
  let isStopping = false
  let isUnavailable = false
  let wake = () => {}
  let abort = new AbortController()
  let ended: Promise<void> | undefined

  /** Calls the store. Resolves with undefined when it fails. */
  async function callStore<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      const value = await withTimeout(call(), leaseMs)
      if (isUnavailable) onEvent({ type: 'leases available', job: name })
      isUnavailable = false
      return value
    } catch (err) {
      if (!isUnavailable) onEvent({ type: 'leases unavailable', job: name, err })
      isUnavailable = true
      return undefined
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms + random() * jitterMs, MAX_WAIT_MS))
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function loop(): Promise<void> {
    for (let waitMs = 0; !isStopping; ) {
      await pause(waitMs)
      if (!isStopping) waitMs = await attempt()
    }
  }

  /** Runs the job if it is available. Resolves with the time until the next attempt. */
  async function attempt(): Promise<number> {
    const claimedAt = clock()
    const claim = await callStore(() => leases.claim(name, leaseMs))
    if (claim === undefined) return retryMs
    if ('availableInMs' in claim) return Math.max(0, claim.availableInMs)
    const { run } = claim
    const result = isStopping ? 'stopped' : await runOnce(run, claimedAt)
    if (result === 'lease lost') return retryMs
    // After a run that the stop has aborted, another instance may run the job at once.
    const dueAt = result === 'stopped' ? 0 : claimedAt + intervalMs
    const waitMs = () => Math.max(0, dueAt - clock())
    const release = () => callStore(() => leases.release(name, run, waitMs()).then(() => true))
    // Without the release, another instance would run the job again when the lease ends, before the interval does.
    while (!(await release()) && !isStopping && waitMs() > 0) await pause(leaseMs / 10)
    return waitMs()
  }

  /** Resolves when the work has settled, even after an abort. A run that ignores its signal keeps its lease. */
  async function runOnce(run: number, claimedAt: number): Promise<JobResult> {
    abort = new AbortController()
    const { signal } = abort
    const startedAt = clock()
    let result: JobResult | undefined
    let isLost = false
    const end = (outcome: JobResult, err?: unknown) => {
      if (result !== undefined) return
      result = outcome
      const durationMs = clock() - startedAt
      onEvent({ type: 'run ended', job: name, result, durationMs, ...(err !== undefined && { err }) })
    }
    signal.addEventListener('abort', () => end(signal.reason.result, signal.reason.cause))
    const endLease = keepLease({
      ...{ leases, job: name, run, leaseMs, claimedAt, clock },
      onLost(cause) {
        isLost = true
        abort.abort(new Ended('lease lost', cause))
      },
    })
    const message = `no result within ${timeoutMs} ms`
    const timer = setTimeout(() => abort.abort(new Ended('timeout', new TimeoutError(message))), timeoutMs)
    onEvent({ type: 'run started', job: name })
    try {
      await work({ signal, run })
      end('ok')
    } catch (err) {
      end('failed', err)
    } finally {
      clearTimeout(timer)
      endLease()
    }
    return isLost ? 'lease lost' : (result ?? 'failed')
  }

  return {
    start(): void {
      ended = loop()
    },
    drain(): void {
      isStopping = true
      wake()
    },
    async stop(deadline: AbortSignal): Promise<void> {
      isStopping = true
      wake()
      const cut = () => abort.abort(new Ended('stopped'))
      if (deadline.aborted) cut()
      deadline.addEventListener('abort', cut)
      const timer = setTimeout(cut, FINISH_MS)
      await ended
      clearTimeout(timer)
    },
  }
}
