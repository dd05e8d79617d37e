import type { IncomingMessage } from 'node:http'

/** Accepts UUIDs, ULIDs and trace ids. Rejects characters that break a log line, a header or a shell command. */
const SANE = /^[A-Za-z0-9._-]{1,128}$/

/** About 100 random bits. An id must be unique but not secret, and loading `node:crypto` takes a tenth of a start. */
const INSTANCE = [Math.random(), Math.random()].map((part) => part.toString(36).slice(2, 12)).join('')
let count = 0

/** Creates an id: the prefix identifies the process, and the suffix counts its requests. */
export function mintRequestId(): string {
  return `${INSTANCE}-${++count}`
}

/** Returns the client's `x-request-id` if it is valid, and a new id otherwise. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : mintRequestId()
}
