import { parseObject } from './json.ts'
import { RegistryError, responseError } from './registry.ts'
import type { RegistryClient, RegistryRequest } from './registry-client.ts'

export interface NacosSessionOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** User and password. @default requests without a token */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
}

/** The result of a call: `code` is 0 for a success. https://nacos.io/en/docs/v3.2/manual/user/open-api/ */
export interface NacosResult {
  readonly code: number
  readonly data: unknown
  /** The error that describes a code other than 0. */
  readonly error: RegistryError
}

/** Share of the lifetime of a token after which the session requests a new token. */
const RENEW_AT = 0.8

/** Sends requests to Nacos with the token of a user. */
export function createNacosSession(options: NacosSessionOptions) {
  const { client, username, password, now = () => performance.now() } = options
  let token: string | undefined
  let renewTokenAt = 0

  async function logIn(signal: AbortSignal | undefined): Promise<string | undefined> {
    if (username === undefined || password === undefined) return undefined
    const response = await client.request({
      method: 'POST',
      path: '/nacos/v3/auth/user/login',
      body: new URLSearchParams({ username, password }),
      ...(signal && { signal }),
    })
    if (response.status !== 200) {
      // Nacos 3.1 responds with 500 to a wrong password.
      const hint = response.status === 500 ? ' (is the password wrong?)' : ''
      throw responseError(`Nacos: log in${hint}`, response, [password])
    }
    const { accessToken, tokenTtl } = parseObject(response.body)
    // The token becomes a header. fetch quotes an invalid header in its error, and the log would contain the token.
    if (typeof accessToken !== 'string' || !/^[\x21-\x7e]+$/.test(accessToken)) {
      throw new RegistryError('Nacos: log in: the response has no token', response.status)
    }
    renewTokenAt = now() + RENEW_AT * 1e3 * (typeof tokenTtl === 'number' && tokenTtl > 0 ? tokenTtl : 60)
    return accessToken
  }

  return {
    /**
     * Sends a request and returns its result, whatever the code. `call` names the request in errors.
     * @throws RegistryError for a response that is no result of Nacos, or an error of the client
     */
    async request(call: string, request: RegistryRequest): Promise<NacosResult> {
      if (token === undefined || now() >= renewTokenAt) token = await logIn(request.signal)
      const headers = { ...request.headers, ...(token !== undefined && { accessToken: token }) }
      const response = await client.request({ ...request, headers })
      const error = responseError(`Nacos: ${call}`, response, [password, token])
      // The next request logs in again: the server may have restarted with another key.
      if (response.status === 401 || response.status === 403) {
        token = undefined
        throw error
      }
      try {
        const { code, data } = parseObject(response.body)
        if (typeof code === 'number') return { code, data, error }
      } catch {
        // The response is not from the API.
      }
      throw error
    },
  }
}
