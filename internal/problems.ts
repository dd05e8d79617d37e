import { ACCESS_PROBLEMS } from '#pkg/access/problems.ts'
import { DATABASE_PROBLEMS } from '#pkg/postgres/problems.ts'
import { HTTP_PROBLEMS, type ProblemCode, type ProblemTable } from '#pkg/problem/index.ts'
import { RATE_LIMIT_PROBLEMS } from '#pkg/rate-limit/problems.ts'
import { RESOURCE_PROBLEMS } from '#pkg/resource/problems.ts'

/** Every error with a response. A code of a room whose table is missing here does not compile. */
export const PROBLEMS: ProblemTable<ProblemCode> = {
  ...HTTP_PROBLEMS,
  ...RATE_LIMIT_PROBLEMS,
  ...ACCESS_PROBLEMS,
  ...RESOURCE_PROBLEMS,
  ...DATABASE_PROBLEMS,
}
