import type { ProblemTable } from '../problem/index.ts'

/**
 * Errors of calls to upstreams. They do not name the upstream, because callers of this service need not know its
 * dependencies.
 */
export const UPSTREAM_PROBLEMS = {
  upstream_invalid_response: { status: 502, detail: 'A service that this operation needs responded unexpectedly.' },
  upstream_unavailable: {
    status: 503,
    detail: 'A service that this operation needs is not available.',
    retryAfterSeconds: 1,
  },
  upstream_timeout: { status: 504, detail: 'A service that this operation needs did not respond in time.' },
} as const satisfies ProblemTable

declare module '../problem/table.ts' {
  interface Problems extends Record<keyof typeof UPSTREAM_PROBLEMS, ProblemType> {}
}
