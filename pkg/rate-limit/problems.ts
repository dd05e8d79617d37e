import type { ProblemTable } from '../problem/index.ts'

/** Errors that the rate limit throws. */
export const RATE_LIMIT_PROBLEMS = {
  too_many_requests: { status: 429, detail: 'The client sent too many requests. Wait for the time in retry-after.' },
} as const satisfies ProblemTable

declare module '../problem/table.ts' {
  interface Problems extends Record<keyof typeof RATE_LIMIT_PROBLEMS, ProblemType> {}
}
