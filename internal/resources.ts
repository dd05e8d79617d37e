import type { Route } from '#pkg/operation/index.ts'
import { type BindIdempotency, createIdempotency } from '#pkg/resource/index.ts'
import { notes } from './handler/notes.ts'
import { createNotes } from './service/notes.ts'
import { createIdempotencyKeys } from './store/idempotency-keys.ts'
import { createNotesStore } from './store/notes.ts'
import type { Postgres } from './store/postgres.ts'

export interface ResourcesDeps {
  readonly db: Postgres['db']
  /** Called when expired idempotency keys could not be deleted. */
  readonly onError: (error: unknown) => void
}

/** The database or one of its transactions. */
type Executor = Postgres['db']

interface Shared {
  readonly db: Executor
  readonly idempotency: BindIdempotency<Executor>
}

const RESOURCES: readonly ((shared: Shared) => Route[])[] = [
  ({ db, idempotency }) => {
    const bind = (executor: Executor) => createNotes({ store: createNotesStore(executor) })
    return notes({ notes: bind(db), idempotency: idempotency(bind) })
  },
]

/** Lists the routes of the resources. They need a database. */
export function listResources({ db, onError }: ResourcesDeps): Route[] {
  const idempotency = createIdempotency({ keys: createIdempotencyKeys({ db }), db, onError })
  return RESOURCES.flatMap((resource) => resource({ db, idempotency }))
}
