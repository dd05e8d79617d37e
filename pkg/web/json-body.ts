import type { IncomingMessage } from 'node:http'
import express, { type RequestHandler } from 'express'
import { failure } from './problem.ts'

export interface JsonBodyOptions {
  /** Of the body after decompression, in bytes, so that a small archive cannot unpack to a large body. */
  readonly maxBytes: number
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i
/** RFC 8259 knows utf-8; the others do no harm. Not every `utf-…`: utf-7 needs tables that the bundle does not have. */
const UNICODE = /^utf-?(8|16(le|be)?|32(le|be)?)$/i

/** What nearly every client sends. */
const PLAIN = /^application\/json(?:; ?charset=utf-8)?$/i

/** Parses application/json and application/*+json to `req.body`, and refuses a body of any other type. */
export function jsonBody({ maxBytes }: JsonBodyOptions): RequestHandler {
  const parse = express.json({ limit: maxBytes, type: ['application/json', 'application/*+json'] })
  return function jsonBody(req, res, next) {
    const { headers } = req
    const length = Number(headers['content-length'] ?? 0)
    if (headers['transfer-encoding'] === undefined && !(length > 0)) return next()
    const type = headers['content-type'] ?? ''
    // A third of the time that a small body takes; all that is unusual is Express's (docs/performance.md).
    if (length > 0 && length <= maxBytes && headers['content-encoding'] === undefined && PLAIN.test(type)) {
      return readPlain(req, next)
    }
    const charset = CHARSET.exec(type)?.[1]
    if (charset !== undefined && !UNICODE.test(charset)) return next(failure('unsupported_charset'))
    parse(req, res, (error?: unknown) => {
      if (error !== undefined) return next(error)
      if (req.body !== undefined) return next()
      next(failure('unsupported_media_type'))
    })
  }
}

/** A body in UTF-8 that is as long as its content-length says, which is no more than is accepted. */
function readPlain(req: IncomingMessage & { body?: unknown }, next: (error?: unknown) => void): void {
  const chunks: Buffer[] = []
  const ended = () => {
    let text = Buffer.concat(chunks).toString()
    if (text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    try {
      req.body = JSON.parse(text)
    } catch {
      return next(failure('malformed_json'))
    }
    // As express.json({ strict: true }): what is neither an object nor a list is no document.
    next(typeof req.body === 'object' && req.body !== null ? undefined : failure('malformed_json'))
  }
  req.on('data', (chunk: Buffer) => void chunks.push(chunk))
  req.once('end', ended)
  req.once('error', () => next(failure('incomplete_body')))
}
