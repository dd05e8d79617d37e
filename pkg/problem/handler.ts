import { inspect } from 'node:util'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { CodedError } from './coded-error.ts'
import { renderProblem } from './document.ts'
import { HTTP_PROBLEMS, type ProblemTable, type ProblemType } from './table.ts'

/** `type` of the errors that Express's body parsers throw: https://expressjs.com/en/resources/middleware/body-parser.html */
const PARSER_CODES: Readonly<Record<string, keyof typeof HTTP_PROBLEMS>> = {
  'entity.parse.failed': 'malformed_json',
  'entity.too.large': 'body_too_large',
  'parameters.too.many': 'body_too_large',
  'encoding.unsupported': 'unsupported_encoding',
  'charset.unsupported': 'unsupported_charset',
  'request.size.invalid': 'incomplete_body',
  'request.aborted': 'incomplete_body',
}

export interface ProblemHandlerOptions {
  /** Every code that may be thrown. Any other error is a 500. @default HTTP_PROBLEMS */
  readonly table?: ProblemTable
}

interface Thrown {
  readonly code?: unknown
  readonly type?: unknown
  readonly status?: unknown
  readonly errors?: unknown
}

/** Sends every error as application/problem+json. The table is the only source of text: no message, stack or data leaks. */
export function problemHandler({ table = HTTP_PROBLEMS }: ProblemHandlerOptions = {}): ErrorRequestHandler {
  const known = new Map<string, ProblemType>(Object.entries(table))

  function findCode(error: unknown): string {
    const { code, type, status } = (error ?? {}) as Thrown
    if (typeof code === 'string' && known.has(code)) return code
    if (typeof type === 'string' && Object.hasOwn(PARSER_CODES, type)) return PARSER_CODES[type] ?? 'internal'
    // zlib fails when a body does not match its content-encoding.
    if (typeof code === 'string' && /^(Z|ERR)_/.test(code) && status === 400) return 'bad_request'
    // Only the router throws this error, when it cannot decode a path.
    return error instanceof URIError && status === 400 ? 'malformed_path' : 'internal'
  }

  // Express recognises an error handler by its four parameters.
  return function problem(error, req, res, _next) {
    const code = findCode(error)
    const type: ProblemType = known.get(code) ?? HTTP_PROBLEMS.internal
    if (type.status >= 500) res.err = error instanceof Error ? error : new Error(inspect(error))
    // The status has been sent. Only a broken connection tells the client that the response is incomplete.
    if (res.headersSent) return void res.destroy()
    let body: string
    try {
      // `errors` of a failed connection comes from Node and names internal addresses.
      const errors = type.status < 500 ? (error as Thrown | null)?.errors : undefined
      body = renderProblem(code, type, String(req.id), errors)
    } catch {
      // `errors` cannot be rendered as JSON.
      body = renderProblem(code, type, String(req.id))
    }
    if (type.retryAfterSeconds !== undefined && !res.hasHeader('retry-after')) {
      res.set('retry-after', String(type.retryAfterSeconds))
    }
    res.status(type.status).set('cache-control', 'no-store').type('application/problem+json').send(body)
  }
}

/** Rejects every request. Register it after the routes. */
export function notFound(): RequestHandler {
  return function notFound() {
    throw new CodedError('not_found')
  }
}
