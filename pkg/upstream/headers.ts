import type { CallContext, UpstreamRequest } from './options.ts'

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
