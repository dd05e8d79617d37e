import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'
import { CodedError } from '../problem/index.ts'

export interface ReadJsonAtOnceOptions {
  readonly maxBytes: number
  /** Reads every body that is not plain: compressed, chunked, too large, or of another type or charset. */
  readonly otherwise: RequestHandler
}

const PLAIN = /^application\/json(?:; ?charset=utf-8)?$/i

/** Reads a plain JSON body into `req.body`, with the results of `express.json({ strict: true })`. */
export function readJsonAtOnce({ maxBytes, otherwise }: ReadJsonAtOnceOptions): RequestHandler {
  return function readJsonAtOnce(req, res, next) {
    const { headers } = req
    const length = Number(headers['content-length'] ?? 0)
    const isPlain =
      length > 0 &&
      length <= maxBytes &&
      headers['transfer-encoding'] === undefined &&
      headers['content-encoding'] === undefined &&
      PLAIN.test(headers['content-type'] ?? '')
    if (isPlain) read(req, next)
    else otherwise(req, res, next)
  }
}

function read(req: IncomingMessage & { body?: unknown }, next: (error?: unknown) => void): void {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => void chunks.push(chunk))
  req.once('error', () => next(new CodedError('incomplete_body')))
  req.once('end', () => {
    let text = Buffer.concat(chunks).toString()
    if (text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    try {
      req.body = JSON.parse(text)
    } catch {
      return next(new CodedError('malformed_json'))
    }
    next(typeof req.body === 'object' && req.body !== null ? undefined : new CodedError('malformed_json'))
  })
}
