import type { BreakerState } from './guard.ts'
import type { PoolEvent } from './pool.ts'
import type { Resolver, Source } from './resolve.ts'

export type Priority = 'core' | 'normal' | 'background'

export interface UpstreamRequest {
  readonly method: string
  /** Path and query, beginning with a slash. Encode every segment or value that a caller chooses. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as `idempotency-key`. It makes a POST or PATCH repeatable, so the upstream must support it. */
  readonly idempotencyKey?: string | undefined
  /**
   * Time limit of the call with its retries, in milliseconds. The caller's deadline may be earlier. @default the
   * `timeoutMs` of the upstream
   */
  readonly timeoutMs?: number
  /**
   * Passed on as `x-request-priority`. Background calls use at most half of the concurrency. @default the caller's
   * priority
   */
  readonly priority?: Priority
  /** Cancels the call. @default the signal that aborts when the caller disconnects */
  readonly signal?: AbortSignal
}

/** The values that a call takes from the current request. */
export interface CallContext {
  readonly requestId?: string | undefined
  /** The caller's deadline: a time of `performance.now()`, in milliseconds. */
  readonly deadline?: number | undefined
  readonly priority?: Priority | undefined
  /** Aborts when the caller disconnects. */
  readonly signal?: AbortSignal | undefined
  /** The headers that continue the trace. */
  readonly traceHeaders?: Readonly<Record<string, string>> | undefined
}

export type UpstreamEvent = { readonly upstream: string } & (
  | PoolEvent
  | { readonly type: 'circuit'; readonly state: BreakerState }
  | { readonly type: 'not resolved'; readonly error: unknown }
)

export interface Attempt {
  readonly method: string
  readonly status: number | undefined
  /** The status of a failed attempt, or the kind of its failure. Undefined for a usable response. */
  readonly errorType: string | undefined
  readonly durationMs: number
}

interface Span {
  setAttribute(name: string, value: string | number): void
}

type Trace = <T>(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  work: (span: Span | undefined) => Promise<T>,
) => Promise<T>

export interface UpstreamOptions {
  /** The name of the upstream in logs and metrics. */
  readonly name: string
  readonly source: Source
  /** Time limit of a call with its retries, in milliseconds, when the request has no own limit. @default 5_000 */
  readonly timeoutMs?: number
  /** Maximum number of calls in progress. It also limits the connections to each instance. @default 256 */
  readonly concurrency?: number
  /** Largest body of a response, in bytes. @default 1 MiB */
  readonly maxBytes?: number
  /** Returns whether an operator holds the circuit open. Called for each request. @default false */
  readonly isOpen?: () => boolean
  /** Returns the values of the current request, or undefined outside a request. */
  readonly context?: () => CallContext | undefined
  /** Runs an attempt in a client span. A rejection has the type of the error as `code`. */
  readonly trace?: Trace | undefined
  readonly onEvent?: (event: UpstreamEvent) => void
  /** Called at the end of each attempt. */
  readonly onAttempt?: ((attempt: Attempt) => void) | undefined
  readonly resolver?: Resolver
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
  readonly random?: () => number
}
