import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { listen } from '../listen.ts'

export interface Message {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly toTag: string
  readonly content: string
}

/** An error code of https://developer.work.weixin.qq.com/document/path/90313, or no response at all. */
export type Fault = 42001 | 45009 | 60020 | 'no response'

const ERRORS: Readonly<Record<number, string>> = {
  40001: 'invalid credential',
  40014: 'invalid access_token',
  42001: 'access_token expired',
  45009: 'api freq out of limit',
  60020: 'not allow to access from your ip',
}

/** The secret that the stand-in accepts. */
export const SECRET = 'secret-of-the-test'

/** Starts a stand-in for the API of WeCom, with tokens, messages, and the faults that a test injects. */
export async function startWecom(onMessage?: (message: Message) => void) {
  const messages: Message[] = []
  const attempts: { readonly at: number; readonly fault?: Fault }[] = []
  const faults: Fault[] = []
  /** Counts the expired tokens. WeCom gives the same token to every request until it expires. */
  let expired = 0
  let fetches = 0

  function answer(response: ServerResponse, errcode: number, fields: object = {}): void {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ errcode, errmsg: ERRORS[errcode] ?? 'ok', ...fields }))
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://wecom')
    if (pathname === '/cgi-bin/gettoken') {
      if (searchParams.get('corpsecret') !== SECRET) return answer(response, 40001)
      fetches++
      return answer(response, 0, { access_token: `token-${expired}`, expires_in: 7200 })
    }
    const { totag, markdown } = (await json(request)) as { totag: string; markdown: { content: string } }
    const fault = faults.shift()
    attempts.push({ at: Date.now(), ...(fault && { fault }) })
    if (fault === 'no response') return
    if (fault === 42001) expired++
    if (fault !== undefined) return answer(response, fault)
    if (searchParams.get('access_token') !== `token-${expired}`) return answer(response, 40014)
    const message = { at: Date.now(), toTag: totag, content: markdown.content }
    messages.push(message)
    onMessage?.(message)
    return answer(response, 0)
  }

  const server = createServer((request, response) => void handle(request, response))
  const { url, stop } = await listen(server)
  return {
    /** The value of `wechat_api_url`. */
    url: `${url}/cgi-bin/`,
    messages,
    /** Every request to send a message. */
    attempts,
    /** Counts the requests for a token. */
    fetches: () => fetches,
    /** Injects one fault into each of the next requests to send a message. */
    fail: (...next: readonly Fault[]) => void faults.push(...next),
    stop,
  }
}
