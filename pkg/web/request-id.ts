import type { IncomingMessage } from 'node:http'

/** What other services and proxies send: UUIDs, ULIDs, trace ids. Nothing that breaks a log line, a header or a shell. */
const SANE = /^[A-Za-z0-9._-]{1,128}$/

let randomUUID: (() => string) | undefined

/** A new id. The first one loads what it needs: a start does not, and it is a twelfth of one. */
export function mintRequestId(): string {
  randomUUID ??= process.getBuiltinModule('node:crypto').randomUUID
  return randomUUID()
}

/** The client's `x-request-id` when it is sane, else a new UUID. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : mintRequestId()
}
