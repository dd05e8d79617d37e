import type { IncomingHttpHeaders } from 'node:http'
import type { RequestHandler } from 'express'
import { isFromProxy, type RequestContext } from './request-context.ts'

declare module 'node:http' {
  interface IncomingMessage {
    /** Arrival of a request that has waited in a queue in front of Express: a time of `performance.now()`. */
    arrivedAt?: number
  }
}

export interface DeadlineOptions {
  readonly context: Pick<RequestContext, 'current' | 'run'>
  /** Time limit of a request, in milliseconds. */
  readonly timeoutMs: number
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
}

/**
 * Gives the outgoing calls of each request a deadline, and a signal that aborts when the caller disconnects. It does
 * not end the request itself. A peer that TRUST_PROXY names may set an earlier deadline with `x-request-timeout-ms` or
 * Envoy's `x-envoy-expected-rq-timeout-ms`.
 */
export function deadline({ context, timeoutMs, now = () => performance.now() }: DeadlineOptions): RequestHandler {
  return function deadline(req, res, next) {
    const current = context.current()
    if (current === undefined) return next()
    const askedMs = isFromProxy(req) ? readTimeout(req.headers) : Number.POSITIVE_INFINITY
    const caller = new AbortController()
    res.once('close', () => {
      if (!res.writableFinished) caller.abort()
    })
    const limited = {
      ...current,
      deadline: (req.arrivedAt ?? now()) + Math.min(timeoutMs, askedMs),
      signal: caller.signal,
    }
    req.context = limited
    context.run(limited, next)
  }
}

/** Returns the shortest time in the headers, in milliseconds. */
function readTimeout(headers: IncomingHttpHeaders): number {
  const asked = [headers['x-request-timeout-ms'], headers['x-envoy-expected-rq-timeout-ms']]
    // A proxy may append its own value to an existing value.
    .flatMap((value) => String(value ?? '').split(','))
    .map((text) => (/^\s*\d{1,9}\s*$/.test(text) ? Number(text) : Number.NaN))
    // 0 means "no limit" in Envoy.
    .filter((ms) => ms > 0)
  return Math.min(...asked)
}
