export interface SweepOptions {
  /** Deletes at most `limit` expired rows and resolves with their number. */
  readonly remove: () => Promise<number>
  /** Size of a full batch, in rows. */
  readonly limit: number
  /** Average pause after a deletion that found fewer rows than `limit`, and after an error, in milliseconds. */
  readonly intervalMs: number
  /** Called when `remove` rejects. */
  readonly onError: (error: unknown) => void
  /** Monotonic clock in milliseconds. */
  readonly now: () => number
  /** Returns a number from 0 to 1. @default Math.random */
  readonly random?: () => number
}

/**
 * Returns a function that deletes expired rows from time to time. Call it after the work of a request: it starts at
 * most one deletion at a time and does not wait for it. The pauses are random, so that instances rarely delete at the
 * same time. After a full batch, the next call continues immediately, so the deletions keep up with the requests.
 */
export function createSweep({
  remove,
  limit,
  intervalMs,
  onError,
  now,
  random = Math.random,
}: SweepOptions): () => void {
  const pause = () => intervalMs * (0.5 + random())
  let isRunning = false
  let dueAt = now() + pause()

  async function run(): Promise<void> {
    isRunning = true
    let removed = 0
    try {
      removed = await remove()
    } catch (error) {
      onError(error)
    }
    dueAt = removed < limit ? now() + pause() : now()
    isRunning = false
  }

  return function sweep() {
    if (!isRunning && now() >= dueAt) void run()
  }
}
