import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Response {
  /** 0 without a complete response. */
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The reason why no complete response arrived. */
  readonly error?: NodeJS.ErrnoException
  /** True when an earlier request has used the connection. */
  readonly isReused: boolean
}

export interface SendOptions extends RequestOptions {
  readonly body?: string
}

/** Sends one request, to the loopback address by default. Never rejects. `timeout` limits the silence of the server. */
export function send({ body: sentBody, ...options }: SendOptions): Promise<Response> {
  return new Promise((resolve) => {
    const sent = request({ ...options, host: options.host ?? '127.0.0.1' }, (response) => {
      const { statusCode: status = 0, headers } = response
      text(response).then((body) => resolve({ status, headers, body, isReused: sent.reusedSocket }), fail)
    })
    function fail(error: NodeJS.ErrnoException): void {
      resolve({ status: 0, headers: {}, body: '', error, isReused: sent.reusedSocket })
    }
    sent.once('timeout', () => sent.destroy(new Error('timeout')))
    sent.on('error', fail).end(sentBody)
  })
}
