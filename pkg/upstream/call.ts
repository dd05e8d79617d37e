import type { AttemptError } from './exchange.ts'
import type { CallContext, UpstreamRequest } from './options.ts'

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

/**
 * Returns whether a failed attempt counts against the upstream. It does not count when the caller disconnected, when
 * the caller allowed too little time, or when the upstream limits the rate.
 */
export const isFailure = ({ kind, status }: AttemptError, { isPatient }: Call) =>
  kind !== 'cancelled' && status !== 429 && (kind !== 'timeout' || isPatient)

/** A call has ended without a response. With `isFailure`, it counts against the upstream. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly attempt: AttemptError
  readonly isFailure: boolean

  constructor(attempt: AttemptError, call: Call) {
    super(attempt.message, { cause: attempt })
    this.attempt = attempt
    this.isFailure = isFailure(attempt, call)
  }
}

/**
 * Encodes the body. A wrong request is a mistake in this service, so it fails before it can count against the upstream.
 *
 * @throws TypeError for a path that node:http refuses, and for a body that is not JSON
 */
export function encodeBody({ path, body }: UpstreamRequest): Buffer | undefined {
  if (!/^\/[\u0021-\u00ff]*$/.test(path))
    throw new TypeError('the path of an upstream has a character that is not encoded')
  return body === undefined ? undefined : Buffer.from(JSON.stringify(body))
}

/** Returns the headers of one attempt. `leftMs` is the time until the deadline, in milliseconds. */
export function buildHeaders(
  { body, idempotencyKey, priority: own }: UpstreamRequest,
  { requestId, priority: inherited, traceHeaders, leftMs }: CallContext & { readonly leftMs: number },
): Record<string, string> {
  const priority = own ?? inherited
  // Round down, so that the instance gives up before the caller does.
  const timeoutMs = String(Math.max(1, Math.floor(leftMs)))
  return {
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    ...(requestId !== undefined && { 'x-request-id': requestId }),
    ...(priority !== undefined && { 'x-request-priority': priority }),
    ...traceHeaders,
    // Services of this template read both headers; Envoy sets the second header itself.
    'x-request-timeout-ms': timeoutMs,
    'x-envoy-expected-rq-timeout-ms': timeoutMs,
  }
}
