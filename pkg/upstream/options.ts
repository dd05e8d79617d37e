import type { BreakerState } from './guard.ts'
import type { PoolEvent } from './pool.ts'
import type { Resolver, Source } from './resolve.ts'

export type Priority = 'core' | 'normal' | 'background'

export interface UpstreamRequest {
  readonly method: string
  /** Path and query, beginning with a slash. Encode every part of it that a caller chooses. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as `idempotency-key`. It makes a POST or PATCH repeatable, if the upstream honours it. */
  readonly idempotencyKey?: string | undefined
  /** Longest time of the call with its retries, in milliseconds. The caller's deadline may be earlier. */
  readonly timeoutMs?: number
  /** Passed on as `x-request-priority`. Background calls fill half of the bulkhead at most. @default the caller's */
  readonly priority?: Priority
  /** Cancels the call. @default when the caller disconnects */
  readonly signal?: AbortSignal
}

/** What a call takes over from the request that it belongs to. */
export interface CallContext {
  readonly requestId?: string | undefined
  /** When the caller stops waiting: a time of `performance.now()`. */
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
  /** The status of an error, or why there is none. Undefined for a usable response. */
  readonly errorType: string | undefined
  readonly durationMs: number
}

interface Span {
  setAttribute(name: string, value: string | number): void
}

export interface UpstreamOptions {
  /** The name in logs and metrics. */
  readonly name: string
  readonly source: Source
  /** Longest time of a call, in milliseconds, unless the request says otherwise. @default 5_000 */
  readonly timeoutMs?: number
  /** Calls in progress at a time, and connections to one instance. @default 256 */
  readonly concurrency?: number
  /** Largest body of a response. @default 1 MiB */
  readonly maxBytes?: number
  /** Responds with a status below 500 while an instance works. @default /health/ready */
  readonly probePath?: string
  /** Whether an operator holds the circuit open. Called for each request. */
  readonly isOpen?: () => boolean
  /** Returns what the current request passes on. Undefined outside of a request. */
  readonly context?: () => CallContext | undefined
  /** Runs an attempt in a client span. A rejection has the type of the error as `code`. */
  readonly trace?: <T>(
    name: string,
    attributes: Readonly<Record<string, string | number>>,
    work: (span: Span | undefined) => Promise<T>,
  ) => Promise<T>
  readonly onEvent?: (event: UpstreamEvent) => void
  /** Called at the end of each attempt. */
  readonly onAttempt?: (attempt: Attempt) => void
  readonly resolver?: Resolver
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
  /** Milliseconds since the epoch. @default Date.now */
  readonly epoch?: () => number
  readonly random?: () => number
}
