import { type RequestOptions, request } from 'node:http'

export type Method = 'GET' | 'POST'

export interface Outcome {
  /** The reason for a failure. Undefined when the service itself has responded. */
  readonly reason?: string
  /** True when the connection cannot be used again: it broke, or the response has `Connection: close`. */
  readonly close: boolean
  /** True when the request was not sent. */
  readonly refused?: boolean
}

/** The service has no endpoint for POST, so it responds with 405 after it has read the body. */
const STATUS: Readonly<Record<Method, number>> = { GET: 200, POST: 405 }

const BODY = JSON.stringify({ text: 'x'.repeat(200) })

/**
 * Sends one request for /ping with this request id. Never rejects. `options` has the target, the agent and the timeout.
 */
export function send(method: Method, id: string, options: RequestOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const headers = {
      'x-request-id': id,
      ...(method === 'POST' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(BODY) }),
    }
    const req = request({ host: '127.0.0.1', path: '/ping', method, headers, ...options })
    req.once('response', (res) => {
      const { statusCode, headers } = res
      const close = headers.connection === 'close'
      const reason =
        statusCode !== STATUS[method]
          ? `status ${statusCode}`
          : headers['x-request-id'] !== id
            ? 'a response to another request'
            : undefined
      res.once('error', ({ message }) => resolve({ reason: `broken response: ${message}`, close: true }))
      res.resume().once('end', () => resolve({ close, ...(reason !== undefined && { reason }) }))
    })
    req.once('timeout', () => req.destroy(new Error('timeout')))
    req.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const reason = `${code ?? message} on a ${req.reusedSocket ? 'kept' : 'new'} connection`
      resolve({ reason, close: true, refused: code === 'ECONNREFUSED' })
    })
    req.end(method === 'POST' ? BODY : undefined)
  })
}
