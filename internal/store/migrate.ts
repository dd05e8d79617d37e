import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { migrations } from './migrations/index.ts'

export interface MigrateOptions<Tables> {
  readonly db: Kysely<Tables>
  /** Migrations by name. @default the migrations of the service */
  readonly scripts?: Readonly<Record<string, { readonly up: string }>>
  /**
   * Longest wait for the lock of a table, in milliseconds. While a migration waits, all later queries on the table wait
   * behind it. @default 10_000
   */
  readonly lockTimeoutMs?: number
}

/**
 * Applies the missing migrations in one transaction. An advisory lock allows several processes to call it at once.
 * Resolves with the names of the migrations that this call applied.
 *
 * @throws the error of the database, after a rollback of all migrations
 */
export async function migrate<Tables>({
  db,
  scripts = migrations,
  lockTimeoutMs = 10_000,
}: MigrateOptions<Tables>): Promise<readonly string[]> {
  const known = Object.fromEntries(
    Object.entries(scripts).map(([name, { up }]): [string, Migration] => [
      name,
      {
        async up(transaction) {
          await sql`select set_config('lock_timeout', ${String(lockTimeoutMs)}, true)`.execute(transaction)
          await sql.raw(up).execute(transaction)
        },
      },
    ]),
  )
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(known) } })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error !== undefined) {
    const failed = results.find(({ status }) => status === 'Error')?.migrationName
    throw failed === undefined ? error : Object.assign(error as Error, { migration: failed })
  }
  return results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName)
}
