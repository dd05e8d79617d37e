export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
  readonly code = 'timeout'
}

/**
 * Settles like `work`, or rejects with a TimeoutError after `timeoutMs` milliseconds. The work itself continues, and
 * its late result or error is ignored.
 */
export async function withTimeout<T>(work: PromiseLike<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new TimeoutError(`no result within ${timeoutMs} ms`)), timeoutMs)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
