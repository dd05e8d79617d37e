import type { Route } from '#pkg/operation/index.ts'
import type { Executor } from '#pkg/postgres/index.ts'
import { createIdempotency } from '#pkg/resource/index.ts'
import { notes } from './handler/notes.ts'
import { createConnect, type Resource } from './resource.ts'
import { createNotes } from './service/notes.ts'
import { createIdempotencyKeys } from './store/idempotency-keys.ts'
import { prepareNotesStore } from './store/notes.ts'
import type { Postgres } from './store/postgres.ts'

export interface ResourcesDeps {
  readonly db: Postgres['db']
  /** Called when expired idempotency keys could not be deleted. */
  readonly onError: (error: unknown) => void
}

const RESOURCES: readonly Resource[] = [
  // One line for each resource, so that Git can keep the lines of two branches (.gitattributes).
  ({ connect }) => connect(prepareNotesStore, createNotes, notes),
]

/** Lists the routes of the resources. They need a database. */
export function listResources({ db, onError }: ResourcesDeps): Route[] {
  const idempotency = createIdempotency<Executor>({ keys: createIdempotencyKeys({ db }), db, onError })
  const connect = createConnect({ db, idempotency })
  return RESOURCES.flatMap((list) => list({ db, idempotency, connect }))
}
