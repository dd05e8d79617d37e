import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http'
import { inspect } from 'node:util'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import { mintRequestId } from './request-id.ts'

export interface HttpError {
  readonly status: number
  /** For people, about this kind of error and never about one case: it may not carry data. */
  readonly detail: string
  /** What `retry-after` says where the error itself does not. */
  readonly retryAfterSeconds?: number
}

export type HttpErrorTable = Readonly<Record<string, HttpError>>

/** An error's `code` to its answer. A code that is not here is a 500. */
export const HTTP_ERRORS = {
  bad_request: { status: 400, detail: 'The request could not be read.' },
  malformed_json: { status: 400, detail: 'The body is not valid JSON.' },
  malformed_path: { status: 400, detail: 'The path is not valid percent-encoding.' },
  incomplete_body: { status: 400, detail: 'The body is not as long as its content-length says.' },
  not_found: { status: 404, detail: 'There is nothing at this path.' },
  method_not_allowed: { status: 405, detail: 'The path answers the methods in the allow header.' },
  request_timeout: { status: 408, detail: 'The request did not arrive in time.' },
  conflict: { status: 409, detail: 'There is another one with a value that has to be unique.' },
  idempotency_conflict: {
    status: 409,
    detail: 'The first request with this idempotency-key is still under way.',
    retryAfterSeconds: 1,
  },
  precondition_failed: { status: 412, detail: 'It has changed since the version that if-match names.' },
  body_too_large: { status: 413, detail: 'The body is larger than this service accepts.' },
  unsupported_media_type: { status: 415, detail: 'The body must be application/json.' },
  unsupported_encoding: { status: 415, detail: 'The content-encoding must be gzip, deflate, br or identity.' },
  unsupported_charset: { status: 415, detail: 'The charset must be utf-8, utf-16 or utf-32.' },
  invalid_input: { status: 422, detail: 'Some fields are not valid; see errors.' },
  idempotency_key_reused: { status: 422, detail: 'The idempotency-key was used for another request.' },
  precondition_required: { status: 428, detail: 'The request must name the version that it changes in if-match.' },
  too_many_requests: { status: 429, detail: 'Too many requests in a short time. Wait as long as retry-after says.' },
  headers_too_large: { status: 431, detail: 'The header fields are larger than this service accepts.' },
  internal: { status: 500, detail: 'Something went wrong here. Quote the request id when you report it.' },
  database_unavailable: { status: 503, detail: 'The database does not answer.', retryAfterSeconds: 1 },
  idempotency_unavailable: {
    status: 503,
    detail: 'Nobody can tell whether the idempotency-key was used. Nothing was done.',
    retryAfterSeconds: 1,
  },
} as const satisfies HttpErrorTable

/** An error with a code of HTTP_ERRORS, and what else `details` says of it. */
export const failure = (code: keyof typeof HTTP_ERRORS, details?: object) =>
  Object.assign(new Error(code.replaceAll('_', ' ')), { code, ...details })

/** What Express's body parsers put into an error's `type`: https://expressjs.com/en/resources/middleware/body-parser.html */
const PARSER_CODES: Readonly<Record<string, keyof typeof HTTP_ERRORS>> = {
  'entity.parse.failed': 'malformed_json',
  'entity.too.large': 'body_too_large',
  'encoding.unsupported': 'unsupported_encoding',
  'charset.unsupported': 'unsupported_charset',
  'request.size.invalid': 'incomplete_body',
  'request.aborted': 'incomplete_body',
}

/** A problem document of RFC 9457. `code` is stable and for programs; the rest is for people. */
export function problemDocument(
  code: string,
  { status, detail }: HttpError,
  requestId: string,
  errors?: unknown,
): string {
  const title = STATUS_CODES[status]
  return JSON.stringify({ type: 'about:blank', title, status, detail, code, requestId, errors })
}

/** For what is answered before Express: an error of the table on a connection that ends with it. */
export function answerProblem(
  response: ServerResponse,
  code: keyof typeof HTTP_ERRORS,
  headers?: OutgoingHttpHeaders,
): void {
  const requestId = mintRequestId()
  const body = problemDocument(code, HTTP_ERRORS[code], requestId)
  response.writeHead(HTTP_ERRORS[code].status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    // What may follow as the body of a request that was refused is not read.
    connection: 'close',
    ...headers,
  })
  response.end(body)
}

export interface ProblemOptions {
  /** The service's own codes, added to HTTP_ERRORS. */
  readonly table?: HttpErrorTable
}

interface Thrown {
  readonly code?: unknown
  readonly type?: unknown
  readonly status?: unknown
  /** What is wrong with which field: shown as `errors`. */
  readonly errors?: unknown
}

/** Answers every error as application/problem+json, from the table alone: no message, no stack, nothing from inside. */
export function problemHandler({ table = {} }: ProblemOptions = {}): ErrorRequestHandler {
  const known = new Map<string, HttpError>(Object.entries({ ...HTTP_ERRORS, ...table }))

  function codeOf(error: unknown): string {
    const { code, type, status } = (error ?? {}) as Thrown
    if (typeof code === 'string' && known.has(code)) return code
    if (typeof type === 'string' && Object.hasOwn(PARSER_CODES, type)) return PARSER_CODES[type] ?? 'internal'
    // A body that is not what its content-encoding says fails in zlib.
    if (typeof code === 'string' && /^(Z|ERR)_/.test(code) && status === 400) return 'bad_request'
    // The router marks a path that it cannot decode this way and no other.
    return error instanceof URIError && status === 400 ? 'malformed_path' : 'internal'
  }

  // Express tells an error handler by its four parameters.
  return function problem(error, req, res, _next) {
    const code = codeOf(error)
    const entry: HttpError = known.get(code) ?? HTTP_ERRORS.internal
    if (entry.status >= 500) res.err = error instanceof Error ? error : new Error(inspect(error))
    // Half an answer is out already: only a broken connection tells the client that it is not whole.
    if (res.headersSent) return void res.destroy()
    let body: string
    try {
      // Those of a failed connection are Node's, and name the addresses that were tried.
      const errors = entry.status < 500 ? (error as Thrown | null)?.errors : undefined
      body = problemDocument(code, entry, String(req.id), errors)
    } catch {
      // What is no JSON is not worth a second failure.
      body = problemDocument(code, entry, String(req.id))
    }
    if (entry.retryAfterSeconds !== undefined) res.set('retry-after', String(entry.retryAfterSeconds))
    res.status(entry.status).set('cache-control', 'no-store').type('application/problem+json').send(body)
  }
}

/** The end of the list of routes. */
export function notFound(): RequestHandler {
  return function notFound() {
    throw failure('not_found')
  }
}
