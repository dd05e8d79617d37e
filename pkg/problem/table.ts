/** A kind of error as a client sees it. */
export interface ProblemType {
  /** HTTP status. */
  readonly status: number
  /** A sentence for people about this kind of error. It never carries data of one request. */
  readonly detail: string
  /** `retry-after`, in seconds, unless the error itself sets the header. */
  readonly retryAfterSeconds?: number
}

/** Maps the `code` of an error to its response. */
export type ProblemTable<Code extends string = string> = Readonly<Record<Code, ProblemType>>

/**
 * Every code of this program. A room that throws errors of its own adds its table here, and a misspelt code does not
 * compile:
 *
 *     declare module '../problem/table.ts' {
 *       interface Problems extends Record<keyof typeof ACCESS_PROBLEMS, ProblemType> {}
 *     }
 */
export interface Problems extends Record<keyof typeof HTTP_PROBLEMS, ProblemType> {}

export type ProblemCode = keyof Problems & string

/** Errors that any HTTP service returns. */
export const HTTP_PROBLEMS = {
  bad_request: { status: 400, detail: 'The request is not valid HTTP.' },
  malformed_json: { status: 400, detail: 'The body is not valid JSON.' },
  malformed_path: { status: 400, detail: 'The path is not valid percent-encoding.' },
  incomplete_body: { status: 400, detail: 'The body is shorter than its content-length.' },
  not_found: { status: 404, detail: 'The path or the item does not exist.' },
  method_not_allowed: { status: 405, detail: 'The path supports only the methods in the allow header.' },
  request_timeout: { status: 408, detail: 'The request did not arrive in time.' },
  body_too_large: { status: 413, detail: 'The body exceeds the size limit.' },
  unsupported_media_type: { status: 415, detail: 'The operation does not accept this content-type.' },
  unsupported_encoding: { status: 415, detail: 'The content-encoding must be gzip, deflate, br or identity.' },
  unsupported_charset: { status: 415, detail: 'The charset must be utf-8, utf-16 or utf-32.' },
  expectation_failed: { status: 417, detail: 'The only supported expectation is 100-continue.' },
  invalid_input: { status: 422, detail: 'Some fields are invalid; see errors.' },
  precondition_required: { status: 428, detail: 'The if-match header must name the version to change.' },
  headers_too_large: { status: 431, detail: 'The headers exceed the size limit.' },
  internal: { status: 500, detail: 'An internal error occurred. Quote the request id when you report it.' },
  not_implemented: { status: 501, detail: 'The server does not know this method.' },
} as const satisfies ProblemTable
