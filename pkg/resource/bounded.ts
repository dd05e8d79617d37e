export class TimeoutError extends Error {
  readonly code = 'timeout'
}

/** What `promise` settles with, or after `timeoutMs` a TimeoutError: it goes on then, and nobody listens. */
export async function bounded<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new TimeoutError(`nothing within ${timeoutMs} ms`)), timeoutMs)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
