import type { IncomingMessage, ServerResponse } from 'node:http'
import { HTTP_PROBLEMS, renderProblem } from '../problem/index.ts'

/** Largest body of a refused request that the service reads to keep the connection open, in bytes. */
const MAX_UNREAD = 64 * 1024

const ID = 'REQUEST-ID'
const [HEAD = '', TAIL = ''] = renderProblem('overloaded', HTTP_PROBLEMS.overloaded, ID).split(ID)
const LENGTH = HEAD.length + TAIL.length

/**
 * Sends 503 with the problem `overloaded`. Keeps the connection open, because a new connection costs more than the
 * refusal.
 *
 * @param retryAfterS `retry-after`, in whole seconds
 */
export function sendOverloaded(
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
  retryAfterS: number,
): void {
  const { headers } = request
  const bytes = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Infinity
  if (bytes > MAX_UNREAD) response.shouldKeepAlive = false
  response.writeHead(503, [
    'content-type',
    'application/problem+json; charset=utf-8',
    'content-length',
    String(LENGTH + id.length),
    'cache-control',
    'no-store',
    'retry-after',
    String(retryAfterS),
    'x-request-id',
    id,
  ])
  response.end(HEAD + id + TAIL)
}
