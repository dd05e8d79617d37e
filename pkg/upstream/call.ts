import type { AttemptError } from './exchange.ts'
import type { UpstreamRequest } from './options.ts'

/** A request to an upstream with its limits. */
export interface Call {
  readonly asked: UpstreamRequest
  /** The body as JSON. */
  readonly body: Buffer | undefined
  /** A time of the monotonic clock, in milliseconds. */
  readonly deadline: number
  readonly isPatient: boolean
  readonly signal: AbortSignal | undefined
}

/** A call has ended without a response. With `isFailure`, it counts against the upstream. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly attempt: AttemptError
  readonly isFailure: boolean

  constructor(attempt: AttemptError, isFailure: boolean) {
    super(attempt.message, { cause: attempt })
    this.attempt = attempt
    this.isFailure = isFailure
  }
}

/**
 * Encodes the body. A wrong request is a mistake in this service, so it fails before it counts for the upstream.
 *
 * @throws TypeError for a path that node:http refuses, and for a body that is not JSON
 */
export function encodeBody({ path, body }: UpstreamRequest): Buffer | undefined {
  if (!/^\/[\u0021-\u00ff]*$/.test(path))
    throw new TypeError('the path of an upstream has a character that is not encoded')
  return body === undefined ? undefined : Buffer.from(JSON.stringify(body))
}
