import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { request as requestTls } from 'node:https'
import type { Socket } from 'node:net'
import { type FailureKind, parseRetryAfter } from './retry.ts'

export interface Exchange {
  readonly origin: Origin
  readonly agent: Agent
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | undefined
  /** Time limit from the call to the end of the response, in milliseconds. */
  readonly timeoutMs: number
  /**
   * Time limit for opening a connection, in milliseconds. An address that drops packets must not use up the time of the
   * call. @default 1_000
   */
  readonly connectTimeoutMs?: number
  /** Largest body of a response, in bytes. */
  readonly maxBytes: number
  /** Aborts when the caller disconnects. */
  readonly signal?: AbortSignal | undefined
}

export interface Origin {
  readonly protocol: 'http:' | 'https:'
  /** A name or an address, without the brackets of IPv6. */
  readonly host: string
  readonly port: number
  /** The `host` header: the name that was resolved to this address, for servers with several names. */
  readonly authority: string
  /**
   * The name that the certificate must have. Node trusts the public authorities, and the authorities in
   * NODE_EXTRA_CA_CERTS. @default `host`
   */
  readonly serverName?: string
  /** Requests use the instances with the lowest rank of those in use. @default 0 */
  readonly rank?: number
}

export interface UpstreamResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** An attempt has no usable response. The message and the cause are for the log only. */
export class AttemptError extends Error {
  override readonly name = 'AttemptError'
  readonly kind: FailureKind
  /** The status of the response, or `kind` when there is none: the `error.type` of metrics and spans. */
  readonly code: string
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, message: string, options: ErrorOptions & Partial<Refusal> = {}) {
    super(message, options)
    this.kind = kind
    this.code = String(options.status ?? kind)
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
  }
}

interface Refusal {
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
}

/** A request up to this size is one write, which the system accepts as a whole or not at all, in bytes. */
const ONE_WRITE = 16 * 1024

/**
 * Sends one request and reads the whole response. Does not follow redirects, ignores 1xx responses, and closes the
 * connection when the deadline passes, the caller disconnects or the body is too large. @throws AttemptError, or a
 * TypeError for a method or header that HTTP does not allow
 */
export function exchange(options: Exchange): Promise<UpstreamResponse> {
  const { origin, agent, method, path, headers, body, timeoutMs, maxBytes, signal } = options
  return new Promise((resolve, reject) => {
    let hasConnected = false
    let hasResponse = false
    const send = origin.protocol === 'https:' ? requestTls : request
    const { host, port, authority, serverName } = origin
    const tls = origin.protocol === 'https:' && serverName !== undefined && { servername: serverName }
    // Without this header, Node sends the body of a GET, DELETE or OPTIONS without a length. The instance would take
    // the body for another request.
    const length = body && { 'content-length': body.length }
    const req = send({ host, port, agent, method, path, headers: { host: authority, ...length, ...headers }, ...tls })

    let hasSettled = false
    // After a stall of this process, timers run before the sockets are read. The immediate runs after them.
    const after = (delayMs: number, act: () => void) =>
      setTimeout(() => setImmediate(() => hasSettled || act()), delayMs)
    const deadline = after(timeoutMs, () =>
      fail(new AttemptError('timeout', `no response within ${Math.round(timeoutMs)} ms`)),
    )
    const connecting = after(options.connectTimeoutMs ?? 1_000, () => {
      if (!hasConnected) fail(new AttemptError('refused', 'no connection in time'))
    })
    const onAbort = () => fail(new AttemptError('cancelled', 'the caller disconnected'))
    signal?.addEventListener('abort', onAbort)

    function settle(): void {
      hasSettled = true
      clearTimeout(deadline)
      clearTimeout(connecting)
      signal?.removeEventListener('abort', onAbort)
    }
    function fail(error: AttemptError): void {
      settle()
      reject(error)
      // A closed connection tells the instance that the client no longer needs its work.
      req.destroy()
    }
    function findKind({ code, syscall }: NodeJS.ErrnoException): FailureKind {
      // llhttp's codes: https://github.com/nodejs/llhttp
      if (code?.startsWith('HPE_')) return 'invalid'
      if (!hasConnected) return 'refused'
      // The system refuses the first write on a kept connection that the instance has already closed.
      const isOneWrite = (body?.length ?? 0) <= ONE_WRITE
      return req.reusedSocket && syscall === 'write' && !hasResponse && isOneWrite ? 'stale' : 'broken'
    }

    req.once('socket', (socket: Socket) => {
      if (req.reusedSocket) hasConnected = true
      else
        socket.once(origin.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
          hasConnected = true
        })
    })
    // The listener stays after the end, because an error without a listener ends the process.
    req.on('error', (cause) => fail(new AttemptError(findKind(cause), cause.message, { cause })))
    req.once('close', () => {
      if (!hasResponse) fail(new AttemptError('broken', 'the connection closed without a response'))
    })
    req.once('upgrade', (_response, socket) => {
      socket.destroy()
      fail(new AttemptError('invalid', 'the instance switched protocols'))
    })
    req.once('response', (response) => {
      hasResponse = true
      readBody(response, method, maxBytes).then((bytes) => {
        settle()
        // The instance has responded without reading the whole body, and may never read the rest.
        if (!req.writableFinished) req.destroy()
        const error = findRefusal(response)
        if (error) reject(error)
        else resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes })
      }, fail)
    })
    req.end(body)
  })
}

/** @throws AttemptError when the body is too large or incomplete */
function readBody(response: IncomingMessage, method: string, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const tooLarge = () => reject(new AttemptError('invalid', `the response has more than ${maxBytes} bytes`))
    const cut = (cause?: Error) => reject(new AttemptError('broken', 'the response is incomplete', { cause }))
    // A response to HEAD has the length of a body that does not follow.
    if (method !== 'HEAD' && Number(response.headers['content-length']) > maxBytes) tooLarge()
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) tooLarge()
      else chunks.push(chunk)
    })
    // An incomplete response has an error and no end.
    response.once('end', () => resolve(Buffer.concat(chunks, bytes)))
    response.on('error', (error: NodeJS.ErrnoException) =>
      error.code?.startsWith('HPE_')
        ? reject(new AttemptError('invalid', error.message, { cause: error }))
        : cut(error),
    )
    response.once('close', () => cut())
  })
}

/** Returns an error when the status means that the instance could not serve the request. */
function findRefusal({ statusCode = 0, headers }: IncomingMessage): AttemptError | undefined {
  if (statusCode < 500 && statusCode !== 429) return undefined
  const retryAfterMs = parseRetryAfter(headers['retry-after'], Date.now())
  return new AttemptError('status', `status ${statusCode}`, { status: statusCode, retryAfterMs })
}
