import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'
import { lookup } from './lookup.ts'

export interface HttpCheckOptions {
  readonly url: string
}

/** GET of another service's liveness: any 2xx is ok. Redirects are not followed: what they lead to is something else. */
export function httpCheck({ url }: HttpCheckOptions): Check {
  const { get } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http')
  return function checkHttp(signal) {
    return new Promise<void>((resolve, reject) => {
      get(url, { signal, lookup, agent: false }, (response) => {
        // The body is not wanted, however long it is.
        response.destroy()
        const { statusCode = 0 } = response
        if (statusCode >= 200 && statusCode < 300) resolve()
        else reject(new CheckFailure('unhealthy', `${url} answered ${statusCode}`))
      }).once('error', reject)
    })
  }
}
