import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'

export interface HttpCheckOptions {
  readonly url: string
}

/** GET of another service's liveness: any 2xx is ok. Redirects are not followed: what they lead to is something else. */
export function httpCheck({ url }: HttpCheckOptions): Check {
  return async function checkHttp(signal) {
    const response = await fetch(url, { signal, redirect: 'manual', headers: { accept: '*/*' } })
    // The body is not wanted; the connection is, for the next run.
    await response.body?.cancel()
    if (!response.ok) throw new CheckFailure('unhealthy', `${url} answered ${response.status}`)
  }
}
