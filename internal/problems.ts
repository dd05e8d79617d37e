import { DATABASE_PROBLEMS } from '#pkg/postgres/problems.ts'
import { HTTP_PROBLEMS, type ProblemCode, type ProblemTable } from '#pkg/problem/index.ts'
import { RESOURCE_PROBLEMS } from '#pkg/resource/problems.ts'

/** Every error with a response. A code of a room whose table is missing here does not compile. */
export const PROBLEMS: ProblemTable<ProblemCode> = {
  ...HTTP_PROBLEMS,
  ...RESOURCE_PROBLEMS,
  ...DATABASE_PROBLEMS,
}
