import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { migrations } from './migrations/index.ts'

export interface MigrateOptions<Tables> {
  readonly db: Kysely<Tables>
  /** Name to SQL text. @default the service's own */
  readonly scripts?: Readonly<Record<string, { readonly up: string }>>
  /** How long to wait for a table that others use before giving up, rather than queueing everybody behind us. @default 10_000 */
  readonly lockTimeoutMs?: number
}

/**
 * Applies what is missing, all in one transaction and under an advisory lock, so that many may ask
 * at once. Resolves with the names that were applied here.
 *
 * @throws the database's error, with nothing applied
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
