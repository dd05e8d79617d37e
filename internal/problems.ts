import { DATABASE_PROBLEMS } from '#pkg/postgres/problems.ts'
import { HTTP_PROBLEMS, type ProblemCode, type ProblemTable } from '#pkg/problem/index.ts'
import { RESOURCE_PROBLEMS } from '#pkg/resource/problems.ts'
import { UPSTREAM_PROBLEMS } from '#pkg/upstream/problems.ts'

/** Maps the code of every error to its response. The compiler reports a missing table of a module. */
export const PROBLEMS: ProblemTable<ProblemCode> = {
  ...HTTP_PROBLEMS,
  ...RESOURCE_PROBLEMS,
  ...DATABASE_PROBLEMS,
  ...UPSTREAM_PROBLEMS,
}
