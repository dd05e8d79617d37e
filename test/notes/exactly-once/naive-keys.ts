import { sql } from 'kysely'
import type { IdempotencyKeysDeps } from '#internal/store/idempotency-keys.ts'
import { type Executor, withStoreProblems } from '#pkg/postgres/index.ts'
import type { IdempotencyKeys, StoredKey } from '#pkg/resource/index.ts'

/** A naive table of keys: it stores the key after the commit of the write. */
export function createIdempotencyKeys({ db }: IdempotencyKeysDeps): IdempotencyKeys<Executor> {
  const fingerprints = new Map<string, string>()
  return withStoreProblems<IdempotencyKeys<Executor>>({
    transaction: (work) => work(db),
    async claim(_transaction, id, fingerprint) {
      fingerprints.set(id, fingerprint)
      const { rows } = await sql<StoredKey>`
        select fingerprint, response from idempotency_keys where id = ${id}`.execute(db)
      return rows[0]
    },
    async complete(_transaction, id, response) {
      await sql`insert into idempotency_keys (id, fingerprint, response)
        values (${id}, ${fingerprints.get(id)}, ${response}) on conflict do nothing`.execute(db)
    },
    removeExpired: async () => 0,
  })
}
