export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
  readonly code = 'timeout'
}

/** Settles like `work`, or rejects with TimeoutError after `timeoutMs`. The work itself continues; abort it where that matters. */
export async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: timedOut, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new TimeoutError(`timed out after ${timeoutMs} ms`)), timeoutMs)
  try {
    return await Promise.race([work, timedOut])
  } finally {
    clearTimeout(timer)
  }
}
