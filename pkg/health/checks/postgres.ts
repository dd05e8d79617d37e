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
  /** Called with the migrations of the database that are not in `migrations`, and again when they change. */
  readonly onUnknown?: ((migrations: readonly string[]) => void) | undefined
}

/**
 * Runs one query over a real connection. It fails with reason `migrations` until the table schema_migrations contains
 * every name in `migrations`. Each run reads the table, because a database may be restored from an older copy.
 */
export function postgresCheck({ pool, migrations = [], onUnknown }: PostgresCheckOptions): Check {
  let reported = ''
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
      const applied = await readApplied(client)
      release(false)
      const missing = migrations.filter((name) => !applied.has(name))
      const unknown = [...applied].filter((name) => !migrations.includes(name)).sort()
      if (reported !== unknown.join() && unknown.length > 0) onUnknown?.(unknown)
      reported = unknown.join()
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

async function readApplied(client: Client): Promise<ReadonlySet<string>> {
  try {
    const { rows } = await client.query('select name from schema_migrations')
    return new Set((rows as readonly { readonly name: string }[]).map(({ name }) => name))
  } catch (error) {
    // `app migrate` creates the table when it runs for the first time.
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return new Set()
    throw error
  }
}
