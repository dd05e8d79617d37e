import type { IncomingMessage } from 'node:http'

/** What other services and proxies send: UUIDs, ULIDs, trace ids. Nothing that breaks a log line, a header or a shell. */
const SANE = /^[A-Za-z0-9._-]{1,128}$/

/** A new id. The first one loads what it needs: a start does not, and it is an eighth of one. */
export const mintRequestId = (): string => process.getBuiltinModule('node:crypto').randomUUID()

/** The client's `x-request-id` when it is sane, else a new UUID. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : mintRequestId()
}
