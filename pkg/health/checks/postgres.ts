import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'

interface Client {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }>
  /** `true` closes the connection instead of keeping it. */
  release(destroy: boolean): void
}

export interface PostgresCheckOptions {
  /**
   * A separate pool with one connection. A service whose main pool is busy is slow, not unhealthy: its removal from the
   * rotation would only add load to the other instances.
   */
  readonly pool: { connect(): Promise<Client> }
  /** Names of the migrations that must have been applied. The database may have newer ones. @default none */
  readonly migrations?: readonly string[]
}

/**
 * Runs one query over a real connection. It fails with reason `migrations` until Kysely's migration table contains
 * every name in `migrations`. Each run reads the table, because a database may be restored from an older copy.
 */
export function postgresCheck({ pool, migrations = [] }: PostgresCheckOptions): Check {
  return async function checkPostgres(signal) {
    const client = await pool.connect()
    let released = false
    const release = (destroy: boolean) => {
      if (!released) client.release(destroy)
      released = true
    }
    const giveUp = () => release(true)
    if (signal.aborted) {
      giveUp()
      throw signal.reason
    }
    signal.addEventListener('abort', giveUp)
    try {
      const applied = await readApplied(client, migrations)
      release(false)
      const missing = migrations.filter((name) => !applied.has(name))
      if (missing.length > 0) throw new CheckFailure('migrations', `migrations not applied: ${missing.join(', ')}`)
    } catch (error) {
      release(true)
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNDEFINED_TABLE = '42P01'

async function readApplied(client: Client, migrations: readonly string[]): Promise<ReadonlySet<string>> {
  if (migrations.length === 0) {
    await client.query('select 1')
    return new Set()
  }
  try {
    const { rows } = await client.query('select name from kysely_migration where name = any($1)', [migrations])
    return new Set((rows as readonly { readonly name: string }[]).map(({ name }) => name))
  } catch (error) {
    // The migrator creates its table when it runs for the first time.
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return new Set()
    throw error
  }
}
