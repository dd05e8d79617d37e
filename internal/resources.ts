// biome-ignore-all assist/source/organizeImports: Git can keep the imports of two branches only when they are not sorted.
import { createConnect, type Resource } from '#internal/resource.ts'
import type { RouteSettings } from '#internal/routes.ts'
import { createIdempotencyKeys } from '#internal/store/idempotency-keys.ts'
import type { Postgres } from '#internal/store/postgres.ts'
import type { Route } from '#pkg/operation/index.ts'
import type { Executor } from '#pkg/postgres/index.ts'
import { createIdempotency } from '#pkg/resource/index.ts'
import { notes } from './handler/notes.ts'
import { createNotes } from './service/notes.ts'
import { prepareNotesStore } from './store/notes.ts'

export interface ResourcesDeps {
  readonly db: Postgres['db']
  /** Returns the current settings, which may change at run time. */
  readonly settings: () => RouteSettings
  /** Called when expired idempotency keys could not be deleted. */
  readonly onError: (error: unknown) => void
}

const RESOURCES: readonly Resource[] = [
  // One line for each resource, so that Git can keep the lines of two branches (.gitattributes).
  ({ connect }) => connect(prepareNotesStore, createNotes, notes),
]

/** Lists the routes of the resources. They need a database. */
export function listResources({ db, settings, onError }: ResourcesDeps): Route[] {
  const idempotency = createIdempotency<Executor>({ keys: createIdempotencyKeys({ db }), db, onError })
  const connect = createConnect({ db, idempotency })
  return RESOURCES.flatMap((list) => list({ db, idempotency, connect, settings }))
}
