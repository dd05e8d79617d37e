/** A kind of error as a client sees it. */
export interface ProblemType {
  /** HTTP status. */
  readonly status: number
  /** A sentence for people about this kind of error. It never contains data of a request. */
  readonly detail: string
  /** `retry-after`, in seconds, unless the error itself sets the header. */
  readonly retryAfterSeconds?: number
}

/** Maps the `code` of an error to its response. */
export type ProblemTable<Code extends string = string> = Readonly<Record<Code, ProblemType>>

/**
 * Every code of this program. `declare module` adds the codes of another table, such as `pkg/postgres/problems.ts`. A
 * misspelt code does not compile.
 */
export interface Problems extends Record<keyof typeof HTTP_PROBLEMS, ProblemType> {}

export type ProblemCode = keyof Problems & string

/**
 * Errors that any HTTP service returns, the refusal of a webhook (docs/cookbook.md), and the errors of `pkg/access`,
 * `pkg/rate-limit` and `pkg/overload`.
 */
export const HTTP_PROBLEMS = {
  bad_request: { status: 400, detail: 'The request is not valid HTTP.' },
  malformed_json: { status: 400, detail: 'The body is not valid JSON.' },
  malformed_path: { status: 400, detail: 'The path is not valid percent-encoding.' },
  incomplete_body: { status: 400, detail: 'The body is shorter than its content-length.' },
  unauthenticated: { status: 401, detail: 'The operation requires a bearer token or a session.' },
  invalid_token: { status: 401, detail: 'The bearer token is not valid for this service.' },
  expired_token: { status: 401, detail: 'The bearer token has expired.' },
  invalid_signature: { status: 401, detail: 'The signature is not valid for this body and this time.' },
  token_required: { status: 403, detail: 'Starting a session requires a bearer token.' },
  cross_site_request: { status: 403, detail: 'A page of another site cannot change data with a session.' },
  insecure_connection: { status: 403, detail: 'Starting a session requires a TLS connection.' },
  not_found: { status: 404, detail: 'The path or the item does not exist.' },
  method_not_allowed: { status: 405, detail: 'The path supports only the methods in the allow header.' },
  request_timeout: { status: 408, detail: 'The request did not arrive in time.' },
  body_too_large: { status: 413, detail: 'The body exceeds the size limit.' },
  unsupported_media_type: { status: 415, detail: 'The operation does not accept this content-type.' },
  unsupported_encoding: { status: 415, detail: 'The content-encoding must be gzip, deflate, br or identity.' },
  unsupported_charset: { status: 415, detail: 'The charset must be utf-8, utf-16 or utf-32.' },
  expectation_failed: { status: 417, detail: 'The only supported expectation is 100-continue.' },
  misdirected_request: { status: 421, detail: 'The host must be an address, localhost or a name without a dot.' },
  invalid_input: { status: 422, detail: 'Some fields are invalid; see errors.' },
  precondition_required: { status: 428, detail: 'The if-match header must have the etag of the version to change.' },
  too_many_requests: { status: 429, detail: 'The client sent too many requests. Wait for the time in retry-after.' },
  headers_too_large: { status: 431, detail: 'The headers exceed the size limit.' },
  internal: { status: 500, detail: 'An internal error occurred. Quote the request id when you report it.' },
  not_implemented: { status: 501, detail: 'The server does not know this method.' },
  overloaded: {
    status: 503,
    detail: 'The service is overloaded. Wait for the time in retry-after.',
    retryAfterSeconds: 1,
  },
  keys_unavailable: { status: 503, detail: 'The keys that verify the token are not available.', retryAfterSeconds: 5 },
  sessions_unavailable: { status: 503, detail: 'The session store is not available.', retryAfterSeconds: 1 },
} as const satisfies ProblemTable
