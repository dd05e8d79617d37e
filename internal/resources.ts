import type { Route } from '#pkg/operation/index.ts'
import type { Executor } from '#pkg/postgres/index.ts'
import { type BindIdempotency, createIdempotency } from '#pkg/resource/index.ts'
import { notes } from './handler/notes.ts'
import { createNotes } from './service/notes.ts'
import { createIdempotencyKeys } from './store/idempotency-keys.ts'
import { prepareNotesStore } from './store/notes.ts'
import type { Postgres } from './store/postgres.ts'

export interface ResourcesDeps {
  readonly db: Postgres['db']
  /** Called when expired idempotency keys could not be deleted. */
  readonly onError: (error: unknown) => void
}

interface Shared {
  readonly db: Postgres['db']
  readonly idempotency: BindIdempotency<Executor>
}

const RESOURCES: readonly ((shared: Shared) => Route[])[] = [
  ({ db, idempotency }) => {
    const open = prepareNotesStore(db)
    const bind = (executor: Executor) => createNotes({ store: open(executor) })
    return notes({ notes: bind(db), idempotency: idempotency(bind) })
  },
]

/** Lists the routes of the resources. They need a database. */
export function listResources({ db, onError }: ResourcesDeps): Route[] {
  const idempotency = createIdempotency<Executor>({ keys: createIdempotencyKeys({ db }), db, onError })
  return RESOURCES.flatMap((resource) => resource({ db, idempotency }))
}
