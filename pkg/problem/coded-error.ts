import type { ProblemCode } from './table.ts'

export interface CodedErrorOptions extends ErrorOptions {
  /** Invalid fields. A 4xx response shows them as `errors`. */
  readonly errors?: unknown
}

/** An error that has a response. The tables of the rooms map `code` to a status, so the thrower knows no HTTP. */
export class CodedError<Code extends ProblemCode = ProblemCode> extends Error {
  override readonly name = 'CodedError'
  readonly code: Code
  declare readonly errors?: unknown

  constructor(code: Code, options: CodedErrorOptions = {}) {
    super(code.replaceAll('_', ' '), options)
    this.code = code
    if (options.errors !== undefined) this.errors = options.errors
  }
}
