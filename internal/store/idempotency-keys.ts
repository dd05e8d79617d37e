import { type Kysely, sql } from 'kysely'
import { CodedError } from '#pkg/problem/index.ts'
import type { IdempotencyKeys, StoredKey } from '#pkg/resource/index.ts'
import type { Database } from './postgres.ts'
import { withStoreProblems } from './table.ts'

export interface IdempotencyKeysDeps {
  readonly db: Kysely<Database>
  /**
   * Longest wait for a lock in a transaction with a key, in milliseconds: for an earlier request with the same key, and for
   * any row. @default 1_000
   */
  readonly lockTimeoutMs?: number
}

const isLockTimeout = (error: unknown) => (error as { code?: unknown }).code === '55P03'

/** Keeps idempotency keys in PostgreSQL, where they commit together with the writes of the request. */
export function createIdempotencyKeys({
  db,
  lockTimeoutMs = 1_000,
}: IdempotencyKeysDeps): IdempotencyKeys<Kysely<Database>> {
  /** Waits while another transaction holds the key. The select that returns the timeout runs before the insert. */
  const insert = (id: string, fingerprint: string) => sql`
    with lock as (select set_config('lock_timeout', ${String(lockTimeoutMs)}, true))
    insert into idempotency_keys (id, fingerprint)
    select ${id}::text, ${fingerprint}::text from lock
    on conflict do nothing`

  return withStoreProblems<IdempotencyKeys<Kysely<Database>>>({
    transaction: (work) => db.transaction().execute(work),

    async claim(transaction, id, fingerprint) {
      const { numAffectedRows } = await insert(id, fingerprint)
        .execute(transaction)
        .catch((cause) => {
          throw isLockTimeout(cause) ? new CodedError('idempotency_conflict', { cause }) : cause
        })
      if (numAffectedRows === 1n) return undefined
      const { rows } = await sql<StoredKey>`
        select fingerprint, response from idempotency_keys where id = ${id}`.execute(transaction)
      // The key has just expired: the retry will add it again.
      if (rows[0] === undefined) throw new CodedError('idempotency_conflict')
      return rows[0]
    },

    async complete(transaction, id, response) {
      await sql`update idempotency_keys set response = ${response} where id = ${id}`.execute(transaction)
    },

    async removeExpired({ keepMs, limit }) {
      // Other instances skip the locked rows, so no deletion waits for another one.
      const { numAffectedRows } = await sql`
        delete from idempotency_keys where id = any(array(
          select id from idempotency_keys where created_at < now() - ${keepMs} * interval '1 millisecond'
          order by created_at limit ${limit} for update skip locked
        ))`.execute(db)
      return Number(numAffectedRows)
    },
  })
}
