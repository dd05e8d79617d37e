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

/** Returns the commands that the cache and the idempotency keys use. */
function createCommands(client: ReturnType<Redis['client']>) {
  return {
    get: (key: string) => client.sendCommand<string | null>(['GET', key]),
    set: (key: string, value: string, { PX }: { PX: number }) =>
      client.sendCommand(['SET', key, value, 'NX', 'PX', String(PX)]),
    eval: (script: string, options: { keys: string[]; arguments: string[] }) =>
      client.sendCommand(['EVAL', script, String(options.keys.length), ...options.keys, ...options.arguments]),
  }
}

/** Lists the routes of the resources. They need a database. */
export function listResources({ db, redis, service, lockMs }: ResourcesDeps): Route[] {
  const client = redis && (() => createCommands(redis.client()))
  const cache = (name: string) => createCache<never>({ redis: client, prefix: `${service}:${name}:` })
  const idempotency = createIdempotency({ redis: client, prefix: `${service}:idempotency:`, lockMs })
  return RESOURCES.flatMap((resource) => resource({ db, cache, idempotency }))
}
