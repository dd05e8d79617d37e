import { setTimeout } from 'node:timers/promises'

export interface OpenLoopOptions<T> {
  readonly ratePerSecond: number
  readonly durationMs: number
  /**
   * Sends one request and resolves with its outcome. A rejection ends the run. `intendedAt` is a time of
   * `performance.now()`.
   */
  readonly send: (index: number, intendedAt: number) => Promise<T>
  /** Stops sending. The run still waits for the requests in flight. */
  readonly signal?: AbortSignal
  /** The intended start of the first request: a time of `performance.now()`. @default now */
  readonly startAt?: number
}

/** Times are milliseconds since the start of the run. */
export interface OpenLoopResult<T> {
  readonly intendedAt: number
  /** Time of the call of `send`. The difference from `intendedAt` is the lag of the generator. */
  readonly startedAt: number
  /** Time from `intendedAt` to the outcome, so a late start counts against the request. */
  readonly latencyMs: number
  readonly outcome: T
}

export interface OpenLoopRun<T> {
  readonly sent: number
  /** In the order of `intendedAt`. */
  readonly results: readonly OpenLoopResult<T>[]
  /** The delay of the generator. On a busy machine it is large, and the latencies of the run describe the machine. */
  readonly lag: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
}

/**
 * Sends requests at a fixed rate, independent of the responses. A closed loop waits for each response, and so omits the
 * requests that a stall would have delayed ("coordinated omission"):
 * https://www.scylladb.com/2021/04/22/on-coordinated-omission/
 *
 * Run it in a separate process when the rate is high, because it shares the event loop with all other work of its
 * process.
 */
export async function openLoop<T>(options: OpenLoopOptions<T>): Promise<OpenLoopRun<T>> {
  const { ratePerSecond, durationMs, send, signal, startAt: start = performance.now() } = options
  const total = Math.round((ratePerSecond * durationMs) / 1_000)
  const requests: Promise<OpenLoopResult<T>>[] = []
  const failure = new AbortController()
  const elapsed = () => performance.now() - start

  async function request(index: number, intendedAt: number): Promise<OpenLoopResult<T>> {
    const startedAt = elapsed()
    try {
      const outcome = await send(index, start + intendedAt)
      return { intendedAt, startedAt, latencyMs: elapsed() - intendedAt, outcome }
    } catch (error) {
      failure.abort()
      throw error
    }
  }

  for (let index = 0; index < total; index++) {
    const intendedAt = (index * 1_000) / ratePerSecond
    for (let left = intendedAt - elapsed(); left > 0; left = intendedAt - elapsed()) {
      await setTimeout(left, undefined, signal && { signal }).catch(() => undefined)
      if (signal?.aborted) break
    }
    if (signal?.aborted || failure.signal.aborted) break
    const sent = request(index, intendedAt)
    // Promise.all below reports the rejection.
    sent.catch(() => undefined)
    requests.push(sent)
  }
  const results = await Promise.all(requests)
  const lags = results.map(({ intendedAt, startedAt }) => startedAt - intendedAt)
  const lag = { p50Ms: percentile(lags, 50), p99Ms: percentile(lags, 99), maxMs: percentile(lags, 100) }
  return { sent: results.length, results, lag }
}

/**
 * Returns the smallest value that at least `percent` percent of the values do not exceed (nearest rank). Returns NaN
 * without values, so that a limit does not hold for a run without responses.
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/** Returns the percentile of the latencies of a run, or of the results that `isCounted` accepts. */
export function latencyPercentile<T>(
  { results }: Pick<OpenLoopRun<T>, 'results'>,
  percent: number,
  isCounted: (result: OpenLoopResult<T>) => boolean = () => true,
): number {
  return percentile(
    results.filter(isCounted).map(({ latencyMs }) => latencyMs),
    percent,
  )
}
