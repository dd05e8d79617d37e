import type { ProblemTable } from '../problem/index.ts'

/** Errors that lists, preconditions and idempotency keys throw. */
export const RESOURCE_PROBLEMS = {
  cursor_mismatch: {
    status: 400,
    detail:
      'The cursor belongs to a list with another sort order or other filters. Request the first page, without a cursor.',
  },
  idempotency_conflict: {
    status: 409,
    detail: 'The first request with this idempotency-key is still in progress.',
    retryAfterSeconds: 1,
  },
  precondition_failed: {
    status: 412,
    detail: 'if-match does not name the etag of the current version. An etag includes its quotes.',
  },
  idempotency_key_reused: { status: 422, detail: 'A request with another body has used this idempotency-key.' },
} as const satisfies ProblemTable

declare module '../problem/table.ts' {
  interface Problems extends Record<keyof typeof RESOURCE_PROBLEMS, ProblemType> {}
}
