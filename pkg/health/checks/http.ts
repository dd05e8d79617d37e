import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'
import { lookup } from './lookup.ts'

/** Requests the liveness of another service. Any 2xx status is ok. Does not follow redirects. */
export function httpCheck({ url }: { readonly url: string }): Check {
  const { get } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http')
  return function checkHttp(signal) {
    return new Promise<void>((resolve, reject) => {
      get(url, { signal, lookup, agent: false }, (response) => {
        // Discard the body: only the status counts.
        response.destroy()
        const { statusCode = 0 } = response
        if (statusCode >= 200 && statusCode < 300) resolve()
        else reject(new CheckFailure('unhealthy', `${url} responded with status ${statusCode}`))
      }).once('error', reject)
    })
  }
}
