import type { ProblemTable } from '../problem/index.ts'

/** Errors that authentication throws. */
export const ACCESS_PROBLEMS = {
  unauthenticated: { status: 401, detail: 'The operation requires a bearer token or a session.' },
  invalid_token: { status: 401, detail: 'The bearer token is not valid for this service.' },
  expired_token: { status: 401, detail: 'The bearer token has expired.' },
  token_required: { status: 403, detail: 'Starting a session requires a bearer token.' },
  cross_site_request: { status: 403, detail: 'A page of another site cannot change data with a session.' },
  insecure_connection: { status: 403, detail: 'Starting a session requires a TLS connection.' },
  keys_unavailable: {
    status: 503,
    detail: 'The keys that verify the token are not available.',
    retryAfterSeconds: 5,
  },
  sessions_unavailable: { status: 503, detail: 'The session store is not available.', retryAfterSeconds: 1 },
} as const satisfies ProblemTable

export type AccessProblem = keyof typeof ACCESS_PROBLEMS

declare module '../problem/table.ts' {
  interface Problems extends Record<AccessProblem, ProblemType> {}
}
