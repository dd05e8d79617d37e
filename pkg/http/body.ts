import type { IncomingHttpHeaders } from 'node:http'
import { type Readable, Transform } from 'node:stream'
import express, { type RequestHandler } from 'express'
import { CodedError } from '../problem/index.ts'

export interface BodyReaderOptions {
  /** Limit of a body after decompression, so that a small archive cannot expand into a large body. */
  readonly maxBytes: number
}

/** The properties of an operation that describe its body. */
export type ReadableBody =
  | { readonly type: 'json' }
  | { readonly type: 'form' }
  | { readonly type: 'raw'; readonly mediaTypes: readonly string[]; readonly maxBytes?: number }
  | { readonly type: 'stream'; readonly mediaTypes: readonly string[]; readonly maxBytes: number }

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i
/** RFC 8259 requires utf-8. The bundle has no tables for other charsets such as utf-7. */
const UNICODE = /^utf-?(8|16(le|be)?|32(le|be)?)$/i

/**
 * Returns the middleware that reads a body into `req.body`. A body of another type or charset fails with
 * `unsupported_media_type` or `unsupported_charset`.
 */
export function createBodyReader({ maxBytes }: BodyReaderOptions): (body: ReadableBody) => RequestHandler {
  const json = parseWith(express.json({ limit: maxBytes, type: ['application/json', 'application/*+json'] }))
  const form = parseWith(express.urlencoded({ limit: maxBytes, extended: false }))
  return function readBody(body) {
    if (body.type === 'json') return json
    if (body.type === 'form') return form
    if (body.type === 'stream') return limitStream(body.mediaTypes, body.maxBytes)
    const type = [...body.mediaTypes]
    const raw = parseWith(express.raw({ limit: body.maxBytes ?? maxBytes, type }), { isText: false })
    return function readRaw(req, res, next) {
      if (!hasBody(req.headers)) req.body = Buffer.alloc(0)
      raw(req, res, next)
    }
  }
}

function parseWith(parse: RequestHandler, { isText = true } = {}): RequestHandler {
  return function readBody(req, res, next) {
    if (!hasBody(req.headers)) return next()
    const charset = CHARSET.exec(req.headers['content-type'] ?? '')?.[1]
    if (isText && charset !== undefined && !UNICODE.test(charset)) return next(new CodedError('unsupported_charset'))
    parse(req, res, (error?: unknown) => {
      if (error !== undefined) return next(error)
      next(req.body === undefined ? new CodedError('unsupported_media_type') : undefined)
    })
  }
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Passes the body on as a stream that fails after `maxBytes`. */
function limitStream(mediaTypes: readonly string[], maxBytes: number): RequestHandler {
  return function limitStream(req, res, next) {
    if (hasBody(req.headers) && !req.is([...mediaTypes])) return next(new CodedError('unsupported_media_type'))
    if (Number(req.headers['content-length'] ?? 0) > maxBytes) return next(new CodedError('body_too_large'))
    let bytes = 0
    const limit = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        if (bytes > maxBytes) done(new CodedError('body_too_large'))
        else done(null, chunk)
      },
    })
    // Without a listener, an error that occurs before the handler reads would end the process.
    limit.on('error', () => {})
    // The next request on the connection follows the unread rest, so discard it.
    res.once('finish', () => req.unpipe(limit).resume())
    req.once('aborted', () => limit.destroy(new CodedError('incomplete_body')))
    req.body = req.pipe(limit) satisfies Readable
    next()
  }
}
