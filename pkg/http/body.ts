import type { IncomingHttpHeaders } from 'node:http'
import { type Readable, Transform } from 'node:stream'
import express, { type RequestHandler } from 'express'
import { CodedError } from '../problem/index.ts'

/** The properties of an operation that describe its body. */
export type ReadableBody =
  | { readonly type: 'json' }
  | { readonly type: 'form' }
  | { readonly type: 'raw'; readonly mediaTypes: readonly string[]; readonly maxBytes?: number }
  | { readonly type: 'stream'; readonly mediaTypes: readonly string[]; readonly maxBytes: number }

const PLAIN_JSON = /^application\/json(?:; ?charset=utf-8)?$/i
const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i
/** RFC 8259 requires utf-8. The bundle has no tables for other charsets such as utf-7. */
const UNICODE = /^utf-?(8|16(le|be)?|32(le|be)?)$/i

/**
 * Returns the middleware that reads a body into `req.body`. A body of another type or charset fails with
 * `unsupported_media_type` or `unsupported_charset`. `limit` counts bytes after decompression, so that a small archive
 * cannot expand into a large body.
 */
export function createBodyReader(limit: number): (body: ReadableBody) => RequestHandler {
  const json = readJson(limit)
  const form = parseWith(express.urlencoded({ limit, extended: false }))
  return function readBody(body) {
    if (body.type === 'json') return json
    if (body.type === 'form') return form
    if (body.type === 'stream') return limitStream(body.mediaTypes, body.maxBytes)
    const raw = parseWith(express.raw({ limit: body.maxBytes ?? limit, type: [...body.mediaTypes] }), /^/)
    return function readRaw(req, res, next) {
      raw(req, res, (error?: unknown) => {
        req.body ??= Buffer.alloc(0)
        next(error)
      })
    }
  }
}

/**
 * Reads a plain JSON body without `express.json`, which is faster and has the same result. Passes other bodies to
 * `express.json`.
 */
function readJson(limit: number): RequestHandler {
  const parse = parseWith(express.json({ limit, type: ['application/json', 'application/*+json'] }))
  return function readJson(req, res, next) {
    const { headers } = req
    const isPlain =
      hasBody(headers) &&
      Number(headers['content-length']) <= limit &&
      headers['transfer-encoding'] === undefined &&
      headers['content-encoding'] === undefined &&
      PLAIN_JSON.test(headers['content-type'] ?? '')
    if (!isPlain) return void parse(req, res, next)
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.once('error', () => next(new CodedError('incomplete_body')))
    req.once('end', () => {
      try {
        req.body = JSON.parse(
          Buffer.concat(chunks)
            .toString()
            .replace(/^\ufeff/, ''),
        )
      } catch {
        return next(new CodedError('malformed_json'))
      }
      next(typeof req.body === 'object' && req.body !== null ? undefined : new CodedError('malformed_json'))
    })
  }
}

function parseWith(parse: RequestHandler, charsets = UNICODE): RequestHandler {
  return function readBody(req, res, next) {
    if (!hasBody(req.headers)) return next()
    const charset = CHARSET.exec(req.headers['content-type'] ?? '')?.[1]
    if (charset !== undefined && !charsets.test(charset)) return next(new CodedError('unsupported_charset'))
    parse(req, res, (error?: unknown) => {
      next(error ?? (req.body === undefined ? new CodedError('unsupported_media_type') : undefined))
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
    // Discard the unread rest, because the next request on the connection follows it.
    res.once('finish', () => req.unpipe(limit).resume())
    req.once('aborted', () => limit.destroy(new CodedError('incomplete_body')))
    req.body = req.pipe(limit) satisfies Readable
    next()
  }
}
