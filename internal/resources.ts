import type { Route } from '#pkg/operation/index.ts'
import { type Cache, createCache, createIdempotency, type Idempotency } from '#pkg/resource/index.ts'
import { notes } from './handler/notes.ts'
import { createNotes } from './service/notes.ts'
import { prepareNotesStore } from './store/notes.ts'
import type { Postgres } from './store/postgres.ts'
import type { Redis } from './store/redis.ts'

export interface ResourcesDeps {
  readonly db: Postgres['db']
  readonly redis: Pick<Redis, 'client'> | undefined
  /** Prefix of the keys in Redis. */
  readonly service: string
  /** Lifetime of an idempotency lock, in milliseconds: longer than any request to the database takes. */
  readonly lockMs: number
}

interface Shared {
  readonly db: Postgres['db']
  readonly cache: (name: string) => Cache<never>
  readonly idempotency: Idempotency
}

const RESOURCES: readonly ((shared: Shared) => Route[])[] = [
  ({ db, cache, idempotency }) =>
    notes({ notes: createNotes({ store: prepareNotesStore(db)(db), cache: cache('notes') }), idempotency }),
]

/** Lists the routes of the resources. They need a database. */
export function listResources({ db, redis, service, lockMs }: ResourcesDeps): Route[] {
  const client = redis && (() => redis.client())
  const cache = (name: string) => createCache<never>({ redis: client, prefix: `${service}:${name}:` })
  const idempotency = createIdempotency({ redis: client, prefix: `${service}:idempotency:`, lockMs })
  return RESOURCES.flatMap((resource) => resource({ db, cache, idempotency }))
}
