import express, { type RequestHandler } from 'express'

export interface JsonBodyOptions {
  /** Of the body after decompression, in bytes, so that a small archive cannot unpack to a large body. */
  readonly maxBytes: number
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]*)/i
/** RFC 8259 knows utf-8; the others do no harm. Not every `utf-…`: utf-7 needs tables that the bundle does not have. */
const UNICODE = /^utf-?(8|16(le|be)?|32(le|be)?)$/i

/** Parses application/json and application/*+json to `req.body`, and refuses a body of any other type. */
export function jsonBody({ maxBytes }: JsonBodyOptions): RequestHandler {
  const parse = express.json({ limit: maxBytes, type: ['application/json', 'application/*+json'] })
  return function jsonBody(req, res, next) {
    const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0
    if (!hasBody) return next()
    const charset = CHARSET.exec(req.headers['content-type'] ?? '')?.[1]
    if (charset !== undefined && !UNICODE.test(charset)) {
      return next(Object.assign(new Error('unsupported charset'), { code: 'unsupported_charset' }))
    }
    parse(req, res, (error?: unknown) => {
      if (error !== undefined) return next(error)
      if (req.body !== undefined) return next()
      next(Object.assign(new Error('unsupported media type'), { code: 'unsupported_media_type' }))
    })
  }
}
