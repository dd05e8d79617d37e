import type { RegistryClient } from './registry-client.ts'
import { asNumber, asObject, asText, parseJson } from './watch.ts'

export interface NacosTokenOptions {
  readonly client: RegistryClient
  readonly username: string
  readonly password: string
  readonly now?: () => number
}

/** Logs in to Nacos 3, and again before the access token expires. */
export function createNacosToken({ client, username, password, now = Date.now }: NacosTokenOptions) {
  let token: { readonly text: string; readonly renewAt: number } | undefined
  return {
    /** Returns a valid access token. @throws when the login fails */
    async get(signal: AbortSignal): Promise<string> {
      if (token !== undefined && now() < token.renewAt) return token.text
      token = undefined
      const body = new URLSearchParams({ username, password })
      const response = await client.request({ method: 'POST', path: '/nacos/v3/auth/user/login', body, signal })
      if (response.status !== 200) throw new Error(`the login at Nacos failed with status ${response.status}`)
      const answer = asObject(parseJson(response.body))
      const { accessToken, tokenTtl } = 'accessToken' in answer ? answer : asObject(answer['data'])
      const text = asText(accessToken)
      if (text === '') throw new Error('the login at Nacos returned no access token')
      const seconds = asNumber(tokenTtl)
      // Without a lifetime, renew after five minutes.
      token = { text, renewAt: now() + (seconds > 0 ? seconds : 600) * 500 }
      return text
    },
    /** Drops a token that Nacos rejects, for example because the key of the tokens has changed. */
    drop(): void {
      token = undefined
    },
  }
}
