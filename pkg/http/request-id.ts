import type { IncomingMessage } from 'node:http'

/** What other services and proxies send: UUIDs, ULIDs, trace ids. Nothing that breaks a log line, a header or a shell. */
const SANE = /^[A-Za-z0-9._-]{1,128}$/

/** About 100 bits. An id has to be unique and not secret, and loading `node:crypto` for it is a tenth of a start. */
const INSTANCE = [Math.random(), Math.random()].map((part) => part.toString(36).slice(2, 12)).join('')
let count = 0

/** A new id: what stands before the hyphen is one process's, what follows counts its requests. */
export function mintRequestId(): string {
  return `${INSTANCE}-${++count}`
}

/** The client's `x-request-id` when it is sane, else a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : mintRequestId()
}
