import { type RequestOptions, request } from 'node:http'

export type Method = 'GET' | 'POST'

export interface Outcome {
  /** Why it did not get the service's own answer, whoever is to blame; undefined when it did. */
  readonly reason?: string
  /** The connection is not to be used again: the answer says so, or it broke. */
  readonly close: boolean
  /** The request was not sent. */
  readonly refused?: boolean
}

/** There is no POST endpoint: the service's own 405, after it has read the body, is its answer. */
const STATUS: Readonly<Record<Method, number>> = { GET: 200, POST: 405 }

const BODY = JSON.stringify({ text: 'x'.repeat(200) })

/** One request for /ping with that id, sent once. Never rejects. `options` say where, how, and how long it may take. */
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
            ? 'answered by somebody else'
            : undefined
      res.once('error', ({ message }) => resolve({ reason: `broken answer: ${message}`, close: true }))
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
