import type { Random } from './pick.ts'

const MAX_TENTHS = 100

/**
 * Limits retries to a share of the requests, so that they cannot multiply the load on a failing upstream. The bucket
 * holds 10 retries, and each request adds a tenth of a retry. In any period, attempts ≤ 1.1 × requests + 10.
 *
 * Source: gRPC's retry throttling has `maxTokens: 10` and `tokenRatio: 0.1` in its example,
 * https://github.com/grpc/proposal/blob/master/A6-client-retries.md. The SRE book recommends 10 % too,
 * https://sre.google/sre-book/handling-overload/ ("per-client retry budget").
 */
export function createRetryBudget() {
  // Tenths of a retry: a sum of decimal fractions would drift.
  let tenths = MAX_TENTHS
  return {
    /** Counts a request, without its retries. */
    deposit() {
      tenths = Math.min(MAX_TENTHS, tenths + 1)
    },
    /** Takes one retry and returns true, or returns false when no retry is left. */
    withdraw(): boolean {
      if (tenths < 10) return false
      tenths -= 10
      return true
    },
    /** Returns the number of remaining retries. */
    left: () => tenths / 10,
  }
}

/**
 * The kind of a failure.
 * - `refused`: no connection, so nothing was sent
 * - `stale`: the instance had closed the idle connection, and nothing was sent
 * - `broken`: the connection ended before the end of the response
 * - `invalid`: the response is not HTTP, or too large
 * - `status`: the status is 429 or 5xx
 * - `timeout`: the deadline passed
 * - `cancelled`: the caller disconnected
 */
export type FailureKind = 'refused' | 'stale' | 'broken' | 'invalid' | 'status' | 'timeout' | 'cancelled'

export interface RetryQuestion {
  readonly kind: FailureKind
  /** The status of the response, if there is one. */
  readonly status?: number | undefined
  /** The time in `retry-after`, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** True when the request may run twice: its method is idempotent, or it has an idempotency key. */
  readonly isRepeatable: boolean
  /** Number of retries so far, without a free retry. */
  readonly retries: number
  /** True when the request has had its free retry. */
  readonly hadFreeRetry: boolean
  /** Time until the deadline, in milliseconds. */
  readonly leftMs: number
  readonly random: Random
}

export interface Retry {
  readonly delayMs: number
  /** True for a retry that takes nothing from the budget, because the first attempt did not reach the instance. */
  readonly isFree: boolean
}

const MAX_RETRIES = 2

/** Envoy's back-off: `random(0, (2^n - 1) × 25 ms)`, at most 250 ms, https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-max-retries */
const BASE_DELAY_MS = 25
const MAX_DELAY_MS = 250

/** An instance that sent another 5xx processed the request, and would probably fail again. */
const RETRIED_STATUSES: ReadonlySet<number | undefined> = new Set([429, 502, 503, 504])

/** Returns the delay and the kind of the next retry, or undefined when the call must not be retried. */
export function planRetry(question: RetryQuestion): Retry | undefined {
  const { kind, status, retryAfterMs = 0, isRepeatable, retries, hadFreeRetry, leftMs, random } = question
  if (kind === 'stale' && !hadFreeRetry) return { delayMs: 0, isFree: true }
  const isUnsent = kind === 'refused' || kind === 'stale'
  const isRetried = isUnsent || kind === 'broken' || kind === 'invalid' || RETRIED_STATUSES.has(status)
  if (!isRetried || !(isUnsent || isRepeatable) || retries >= MAX_RETRIES) return undefined
  const backoffMs = random() * Math.min(MAX_DELAY_MS, (2 ** (retries + 1) - 1) * BASE_DELAY_MS)
  const delayMs = Math.max(backoffMs, retryAfterMs)
  return delayMs < leftMs ? { delayMs, isFree: false } : undefined
}

/** Methods that may run twice (RFC 9110 §9.2.2). */
export const isIdempotent = (method: string) => /^(GET|HEAD|OPTIONS|PUT|DELETE)$/.test(method)

/** Returns the milliseconds of a `retry-after` header in seconds or as a date, or undefined. */
export function parseRetryAfter(text: string | undefined, epochMs: number): number | undefined {
  if (text === undefined) return undefined
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - epochMs
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs)
}
