import type { ErrorRequestHandler, RequestHandler } from 'express'
import { CodedError } from './coded-error.ts'
import { renderProblem } from './document.ts'
import { HTTP_PROBLEMS, type ProblemTable, type ProblemType } from './table.ts'

/** `type` of the errors that Express's body parsers throw: https://expressjs.com/en/resources/middleware/body-parser.html */
const PARSER_CODES: ReadonlyMap<unknown, keyof typeof HTTP_PROBLEMS> = new Map([
  ['entity.parse.failed', 'malformed_json'],
  ['entity.too.large', 'body_too_large'],
  ['parameters.too.many', 'body_too_large'],
  ['encoding.unsupported', 'unsupported_encoding'],
  ['charset.unsupported', 'unsupported_charset'],
  ['request.size.invalid', 'incomplete_body'],
  ['request.aborted', 'incomplete_body'],
])

export interface ProblemHandlerOptions {
  /** Every code that may be thrown. Any other error is a 500. @default HTTP_PROBLEMS */
  readonly table?: ProblemTable
}

type Thrown = Partial<Record<'code' | 'type' | 'status' | 'errors', unknown>> | null | undefined

/**
 * Sends every error as application/problem+json. Only the table provides text, so messages, stacks and data never leak.
 */
export function problemHandler({ table = HTTP_PROBLEMS }: ProblemHandlerOptions = {}): ErrorRequestHandler {
  function findCode(error: Thrown): string {
    const { code, type, status } = error ?? {}
    if (typeof code === 'string' && Object.hasOwn(table, code)) return code
    const parserCode = PARSER_CODES.get(type)
    if (parserCode !== undefined) return parserCode
    // zlib fails when a body does not match its content-encoding.
    if (typeof code === 'string' && /^(Z|ERR)_/.test(code) && status === 400) return 'bad_request'
    // Only the router throws this error, when it cannot decode a path.
    return error instanceof URIError && status === 400 ? 'malformed_path' : 'internal'
  }

  // Express recognises an error handler by its four parameters.
  return function problem(error: Thrown, req, res, _next) {
    const code = findCode(error)
    const type: ProblemType = table[code] ?? HTTP_PROBLEMS.internal
    // The log masks the secrets of a cause.
    const cause = error instanceof Error ? error : new Error('thrown without an Error', { cause: error })
    if (type.status >= 500) res.err = cause
    // The status has been sent, so only a broken connection tells the client that the response is incomplete.
    if (res.headersSent) return void res.destroy()
    if (type.retryAfterSeconds !== undefined && !res.hasHeader('retry-after')) {
      res.set('retry-after', String(type.retryAfterSeconds))
    }
    res.status(type.status).set('cache-control', 'no-store').type('application/problem+json')
    // `errors` of a failed connection comes from Node and names internal addresses.
    const errors = type.status < 500 ? error?.errors : undefined
    try {
      res.send(renderProblem(code, type, String(req.id), errors))
    } catch {
      // `errors` cannot be rendered as JSON.
      res.send(renderProblem(code, type, String(req.id)))
    }
  }
}

/** Rejects every request. Register it after the routes. */
export function notFound(): RequestHandler {
  return function notFound() {
    throw new CodedError('not_found')
  }
}
