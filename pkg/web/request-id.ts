import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** What other services and proxies send: UUIDs, ULIDs, trace ids. Nothing that breaks a log line, a header or a shell. */
const SANE = /^[A-Za-z0-9._-]{1,128}$/

/** The client's `x-request-id` when it is sane, else a new UUID. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID()
}
