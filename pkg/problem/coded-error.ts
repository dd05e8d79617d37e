import type { ProblemCode } from './table.ts'

export interface CodedErrorOptions extends ErrorOptions {
  /** Invalid fields. A 4xx response shows them as `errors`. */
  readonly errors?: unknown
}

/**
 * An error that becomes a response. Problem tables map `code` to a status, so code that throws it does not know HTTP.
 */
export class CodedError extends Error {
  override readonly name = 'CodedError'
  readonly code: ProblemCode
  declare readonly errors?: unknown

  constructor(code: ProblemCode, { errors, ...options }: CodedErrorOptions = {}) {
    super(code.replaceAll('_', ' '), options)
    this.code = code
    if (errors !== undefined) this.errors = errors
  }
}
