import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http'
import { HTTP_PROBLEMS, type ProblemType } from './table.ts'

/** Renders a problem document (RFC 9457). Programs read `code`, which is stable; the rest is for people. */
export function renderProblem(code: string, type: ProblemType, requestId: string, errors?: unknown): string {
  const { status, detail } = type
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, code, requestId, errors })
}

/** Sends an error before Express sees the request. Closes the connection, because the body may be unread. */
export function sendProblem(
  response: ServerResponse,
  code: keyof typeof HTTP_PROBLEMS,
  options: { readonly requestId: string; readonly headers?: OutgoingHttpHeaders },
): void {
  writeProblem(response, code, HTTP_PROBLEMS[code], options)
}

/** Sends an error of any table, and closes the connection. */
export function writeProblem(
  response: ServerResponse,
  code: string,
  type: ProblemType,
  { requestId, headers }: { readonly requestId: string; readonly headers?: OutgoingHttpHeaders },
): void {
  const body = renderProblem(code, type, requestId)
  const { status, retryAfterSeconds } = type
  response.shouldKeepAlive = false
  response.writeHead(status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    connection: 'close',
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    ...headers,
  })
  response.end(body)
}
