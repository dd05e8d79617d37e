import { type Kysely, sql } from 'kysely'
import { type Executor, prepare, withStoreProblems } from '#pkg/postgres/index.ts'
import { CodedError } from '#pkg/problem/index.ts'
import type { IdempotencyKeys, StoredKey } from '#pkg/resource/index.ts'
import type { Database } from './postgres.ts'

export interface IdempotencyKeysDeps {
  readonly db: Kysely<Database>
  /**
   * Longest wait for a lock in a transaction with a key, in milliseconds: the lock of an earlier request with the same
   * key, or of a row. @default 1_000
   */
  readonly lockTimeoutMs?: number
}

const isLockTimeout = (error: unknown) => (error as { code?: unknown }).code === '55P03'

/** Keeps idempotency keys in PostgreSQL, where they commit together with the writes of the request. */
export function createIdempotencyKeys({ db, lockTimeoutMs = 1_000 }: IdempotencyKeysDeps): IdempotencyKeys<Executor> {
  // Waits while another transaction holds the key. PostgreSQL reads the row of `bounded` before it inserts.
  const insert = prepare(
    (key: { readonly id: string; readonly fingerprint: string; readonly timeout: string }) => sql`
      with bounded as (select set_config('lock_timeout', ${key.timeout}, true))
      insert into idempotency_keys (id, fingerprint) select ${key.id}, ${key.fingerprint} from bounded
      on conflict do nothing returning id`,
  )
  const find = prepare(
    ({ id }: { readonly id: string }) =>
      sql<StoredKey>`select fingerprint, response from idempotency_keys where id = ${id}`,
  )
  const complete = prepare(
    ({ id, response }: { readonly id: string; readonly response: string }) =>
      sql`update idempotency_keys set response = ${response} where id = ${id}`,
  )
  // Skips rows that another instance is deleting, so that deletions do not wait. The subquery in the array runs once,
  // before the deletion.
  const removeExpired = prepare(
    ({ keepMs, limit }: { readonly keepMs: number; readonly limit: number }) => sql<{ readonly count: number }>`
      with removed as (
        delete from idempotency_keys where id = any(array(
          select id from idempotency_keys where created_at < now() - ${keepMs} * interval '1 millisecond'
          order by created_at limit ${limit} for update skip locked
        )) returning id
      )
      select count(*)::int as count from removed`,
  )

  const keys = withStoreProblems<IdempotencyKeys<Executor>>({
    transaction: (work) => db.transaction().execute(work),

    async claim(transaction, id, fingerprint) {
      const timeout = String(lockTimeoutMs)
      const inserted = await insert.takeFirst(transaction, { id, fingerprint, timeout }).catch((cause) => {
        throw isLockTimeout(cause) ? new CodedError('idempotency_conflict', { cause }) : cause
      })
      if (inserted !== undefined) return undefined
      const stored = await find.takeFirst(transaction, { id })
      // The key has expired in the meantime. A retry adds it again.
      if (stored === undefined) throw new CodedError('idempotency_conflict')
      return stored
    },

    complete: async (transaction, id, response) => void (await complete.execute(transaction, { id, response })),

    removeExpired: async (expired) => (await removeExpired.takeFirstOrThrow(db, expired)).count,
  })

  return {
    ...keys,
    async transaction(work) {
      let thrown: { readonly error: unknown } | undefined
      const recordError = (error: unknown) => {
        thrown = { error }
        throw error
      }
      return keys
        .transaction((transaction) => work(transaction).catch(recordError))
        .catch((error) => {
          // Prefer the error of `work` to an error of the rollback: it is the cause, and may come from another system.
          throw thrown === undefined ? error : thrown.error
        })
    },
  }
}
