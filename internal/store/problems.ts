import type { ProblemTable } from '#pkg/problem/index.ts'

/** Errors that the database causes. */
export const STORE_PROBLEMS = {
  conflict: { status: 409, detail: 'A resource with the same unique value already exists.' },
  still_referenced: { status: 409, detail: 'Another resource still refers to this one.' },
  reference_not_found: { status: 422, detail: 'A resource that the request refers to does not exist.' },
  database_unavailable: { status: 503, detail: 'The database is not available.', retryAfterSeconds: 1 },
} as const satisfies ProblemTable

declare module '#pkg/problem/table.ts' {
  interface Problems extends Record<keyof typeof STORE_PROBLEMS, ProblemType> {}
}
