import pg from 'pg'
import { type MigrateEvent, MigrationError, migrate as run } from '#pkg/postgres/migrate.ts'
import { type Migrations, plan } from '#pkg/postgres/migrate-plan.ts'
import { type Client, findInvalidIndexes, readApplied } from '#pkg/postgres/migrate-queries.ts'
import { migrations as own } from './migrations/index.ts'

export { MigrationError }

/** The connection to the database failed. `message` is for the operator. */
export class ConnectionError extends Error {}

export interface MigrateOptions {
  readonly url: string
  /** Name of the connection in `pg_stat_activity`. */
  readonly applicationName: string
  /** @default 3_000 */
  readonly connectTimeoutMs?: number
  /** @default the migrations of the service */
  readonly migrations?: Migrations
  /** Reports progress, one line at a time. */
  readonly say: (line: string) => void
}

/** A statement may take an hour. The lock timeout bounds how long it blocks other users of a table. */
const STATEMENT_TIMEOUT_MS = 3_600_000

/** A name with several addresses fails with an AggregateError, whose message is empty. */
const describeCause = (cause: Error) =>
  cause instanceof AggregateError ? cause.errors.map(({ message }: Error) => message).join(', ') : cause.message

async function withClient<T>(options: MigrateOptions, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
  })
  // The query in progress rejects too. Without a listener, a broken connection would end the process.
  client.on('error', () => {})
  await client.connect().catch((cause: Error) => {
    // PgBouncer refuses the statement timeout. In transaction mode it would also lose the lock of the migrator.
    const isPooler = cause.message.includes('unsupported startup parameter')
    const message = isPooler
      ? 'the database is behind a pooler: set MIGRATION_DATABASE_URL to PostgreSQL itself'
      : `no connection to the database: ${describeCause(cause)}`
    throw new ConnectionError(message, { cause })
  })
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function describe(event: MigrateEvent): string {
  switch (event.type) {
    case 'waiting':
      return 'waiting: another process is migrating this database'
    case 'unknown':
      return `the database has migrations that this build does not contain: ${event.migrations.join(', ')}`
    case 'applied':
      return `applied ${event.migration}`
    case 'retrying':
      return `${event.migration}: a lock is not free, trying again (attempt ${event.attempt}); ${event.oldest}`
    case 'dropped':
      return `${event.migration}: dropped the incomplete index ${event.index} of an interrupted run`
  }
}

/**
 * Brings the database up to this build.
 *
 * @returns the names of the migrations that this call applied
 * @throws MigrationError when a migration fails
 * @throws ConnectionError when the connection fails
 */
export function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const { migrations = own, say } = options
  return withClient(options, (client) => run({ client, migrations, onEvent: (event) => say(describe(event)) }))
}

/** Lists applied and pending migrations. Changes nothing and waits for no lock. @throws ConnectionError */
export async function reportMigrations(options: MigrateOptions): Promise<void> {
  const { migrations = own, say } = options
  await withClient(options, async (client) => {
    const applied = await readApplied(client, migrations)
    const { pending, unknown } = plan(migrations, applied)
    for (const name of Object.keys(migrations).sort()) {
      if (!pending.includes(name)) say(`applied  ${name}`)
    }
    for (const name of unknown) say(`unknown  ${name} (applied by another build)`)
    for (const name of pending) {
      const { up = '', transaction = true } = migrations[name] ?? {}
      const invalid = transaction ? [] : await findInvalidIndexes(client, [up].flat().join(';'))
      say(`pending  ${name}${invalid.map((index) => ` (interrupted: the index ${index} is incomplete)`).join('')}`)
    }
  })
}
