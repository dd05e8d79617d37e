import { type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { HTTP_PROBLEMS, renderProblem } from '../problem/index.ts'
import { mintRequestId } from './request-id.ts'

export interface ClientErrorOptions {
  readonly server: Server
  /** The answer that was begun on a connection, if any: another one must not follow into it. */
  readonly responseOn: (socket: Socket) => ServerResponse | undefined
  /** A request that could not be read as HTTP and so has no access line. */
  readonly onEvent?: (event: {
    readonly code: string
    readonly status: number
    readonly requestId: string
    readonly clientAddress: string | undefined
  }) => void
}

const CODES: Readonly<Record<string, keyof typeof HTTP_PROBLEMS>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Answers what never becomes a request (malformed, too large, too slow) in the same form as every other error. */
export function answerClientErrors({ server, responseOn, onEvent }: ClientErrorOptions): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const response = responseOn(socket)
    const begun = response?.headersSent === true && !response.writableFinished
    if (error.code === 'ECONNRESET' || !socket.writable || begun) return void socket.destroy()
    const code = CODES[error.code ?? ''] ?? 'bad_request'
    const { status } = HTTP_PROBLEMS[code]
    const requestId = mintRequestId()
    const body = renderProblem(code, HTTP_PROBLEMS[code], requestId)
    onEvent?.({ code: error.code ?? 'unknown', status, requestId, clientAddress: socket.remoteAddress })
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'cache-control: no-store',
      `x-request-id: ${requestId}`,
      'connection: close',
    ]
    // A client that keeps its end open would hold the connection, and a stop with it.
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
  })
}
