import { METHODS, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { HTTP_PROBLEMS, renderProblem } from '../problem/index.ts'
import { mintRequestId } from './request-id.ts'

export interface ClientErrorOptions {
  readonly server: Server
  /** Returns the latest response on a connection. An error response must not follow an incomplete response. */
  readonly responseOn: (socket: Socket) => ServerResponse | undefined
  /** Called for rejected bytes, which have no line in the access log. */
  readonly onEvent?: ((event: ClientErrorEvent) => void) | undefined
}

export interface ClientErrorEvent {
  /** The code of Node's parser, `CONNECT`, or the invalid part of the request, such as `INVALID_HOST`. */
  readonly code: string
  /** The status and the request id of the response. */
  readonly status: number
  readonly requestId: string
  readonly clientAddress: string | undefined
}

type Problem = keyof typeof HTTP_PROBLEMS

const PROBLEMS: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

const REQUEST_LINE = /^([A-Z][A-Z-]*) \S+ HTTP\/1\.[01]\r?$/gm

type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer }

/** Sends problem responses to bytes that never become a request: malformed, too large or too slow. */
export function answerClientErrors({ server, responseOn, onEvent }: ClientErrorOptions): void {
  function reject(socket: Socket, code: string, problem: Problem): void {
    const { status } = HTTP_PROBLEMS[problem]
    const requestId = mintRequestId()
    const body = renderProblem(problem, HTTP_PROBLEMS[problem], requestId)
    onEvent?.({ code, status, requestId, clientAddress: socket.remoteAddress })
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `date: ${new Date().toUTCString()}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'cache-control: no-store',
      `x-request-id: ${requestId}`,
      'connection: close',
    ]
    // A client that keeps its end open would keep the connection open and delay a stop.
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
  }

  /** Connections with malformed bytes. Node reports an error for each later chunk on them. */
  const rejected = new WeakSet<Socket>()

  server.on('clientError', (error: ParserError, socket: Socket) => {
    // A client that has sent no byte waits for no response. A request on its way would take this response for its own.
    const isUnused = socket.bytesRead === 0
    if (isUnused || error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    if (rejected.has(socket)) return
    rejected.add(socket)
    const response = responseOn(socket)
    const sendProblem = () => reject(socket, error.code ?? 'unknown', findProblem(error))
    if (response === undefined || response.writableFinished) return sendProblem()
    if (response.req.complete) {
      // The bytes follow a complete request, whose response comes first.
      socket.pause()
      if (!response.headersSent) response.shouldKeepAlive = false
      return void response.once('close', () => socket.destroy())
    }
    if (response.headersSent) return void socket.destroy()
    // Responses to earlier requests come first. Node assigns the socket when they are sent.
    if (response.socket === null) response.once('socket', sendProblem)
    else sendProblem()
  })

  server.on('connect', (_request, socket: Socket) => {
    // Node has removed its listeners from the socket. Without a listener, a reset by the client would end the process.
    socket.on('error', () => {}).on('timeout', () => socket.destroy())
    const response = responseOn(socket)
    const sendProblem = () => void (socket.writable && reject(socket, 'CONNECT', 'not_implemented'))
    if (response === undefined || response.writableFinished) sendProblem()
    else response.once('close', sendProblem)
  })
}

function findProblem({ code = '', rawPacket }: ParserError): Problem {
  if (code !== 'HPE_INVALID_METHOD') return PROBLEMS[code] ?? 'bad_request'
  const lines = rawPacket?.toString('latin1').matchAll(REQUEST_LINE) ?? []
  return [...lines].some(([, method = '']) => !METHODS.includes(method)) ? 'not_implemented' : 'bad_request'
}
