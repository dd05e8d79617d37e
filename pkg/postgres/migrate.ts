import { setTimeout } from 'node:timers/promises'
import { type Migrations, plan } from './migrate-plan.ts'
import {
  type Client,
  describeOldest,
  findInvalidIndexes,
  inTransaction,
  prepareLedger,
  readApplied,
  record,
} from './migrate-queries.ts'

export type MigrateEvent =
  /** Another process is migrating this database. */
  | { readonly type: 'waiting' }
  /** The database has run migrations that this build does not contain: another build has migrated it. */
  | { readonly type: 'unknown'; readonly migrations: readonly string[] }
  | { readonly type: 'applied'; readonly migration: string }
  /** A lock was not free. `attempt` is the number of the next attempt. */
  | { readonly type: 'retrying'; readonly migration: string; readonly attempt: number; readonly oldest: string }
  /** An incomplete index of an interrupted run was dropped. */
  | { readonly type: 'dropped'; readonly migration: string; readonly index: string }

export interface MigrateOptions {
  /** One connection to PostgreSQL itself: a pooler in transaction mode would lose the advisory lock. */
  readonly client: Client
  readonly migrations: Migrations
  /**
   * Longest wait for the lock of a table, in milliseconds. While a migration waits, every later query on the table
   * waits behind it.
   *
   * @default 1_000
   */
  readonly lockTimeoutMs?: number
  /** Attempts to get the locks of one migration. @default 30 */
  readonly attempts?: number
  /** Waits before the attempt with this number. @default 0.5 s, doubled up to 10 s, with jitter: 5 minutes in all */
  readonly pause?: (attempt: number) => Promise<unknown>
  readonly onEvent?: (event: MigrateEvent) => void
}

/** The lock that Kysely's migrator takes, so that an older build which uses it does not run at the same time. */
const LOCK = '3853314791062309107'

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: lock_not_available, deadlock_detected */
const LOCK_FAILURES = new Set<unknown>(['55P03', '40P01'])

/** Adds up to 50 % of jitter in both directions, so that several processes do not retry in step. */
const backOff = (attempt: number) => setTimeout(Math.min(10_000, 250 * 2 ** (attempt - 1)) * (0.5 + Math.random()))

/**
 * Applies the missing migrations in the order of their names, including migrations older than an applied migration.
 * Each runs in a transaction of its own, unless it declares `transaction = false`. Several processes may call it at
 * once.
 *
 * @returns the names of the migrations that this call applied
 * @throws MigrationError when a migration fails. The migrations before it stay applied.
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const { client, migrations, onEvent = () => {} } = options
  await acquireLock(client, onEvent)
  try {
    await prepareLedger(client, migrations)
    const { pending, unknown } = plan(migrations, await readApplied(client, migrations))
    if (unknown.length > 0) onEvent({ type: 'unknown', migrations: unknown })
    for (const migration of pending) {
      await apply(migration, options)
      onEvent({ type: 'applied', migration })
    }
    return pending
  } finally {
    // A broken connection has released the lock already.
    await client.query('select pg_advisory_unlock($1)', [LOCK]).catch(() => {})
  }
}

/**
 * Polls for the lock. A query that waited for it would hold a snapshot, and `create index concurrently` in the process
 * with the lock would wait for that snapshot: a deadlock (https://github.com/flyway/flyway/issues/1654).
 */
async function acquireLock(client: Client, onEvent: (event: MigrateEvent) => void): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as acquired', [LOCK])
    if (rows[0]?.['acquired'] === true) return
    if (attempt === 1) onEvent({ type: 'waiting' })
    await setTimeout(250 + 250 * Math.random())
  }
}

/** Runs one unit of work of a migration. Tries again when a lock is not free. Rejects with MigrationError. */
async function runWithRetries(
  name: string,
  statement: string,
  options: MigrateOptions,
  run: () => Promise<void>,
): Promise<void> {
  const { client, migrations, attempts = 30, pause = backOff, onEvent = () => {} } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (cause) {
      const isBlocked = LOCK_FAILURES.has((cause as { readonly code?: unknown }).code)
      if (!isBlocked || attempt >= attempts) {
        const transaction = migrations[name]?.transaction ?? true
        const invalid = transaction ? [] : await findInvalidIndexes(client, statement).catch(() => [])
        throw new MigrationError({ migration: name, transaction, statement, invalid, attempts: attempt, cause })
      }
    }
    onEvent({ type: 'retrying', migration: name, attempt: attempt + 1, oldest: await describeOldest(client) })
    await pause(attempt + 1)
  }
}

async function apply(name: string, options: MigrateOptions): Promise<void> {
  const { client, migrations, lockTimeoutMs = 1_000, onEvent = () => {} } = options
  const { up = '', transaction = true } = migrations[name] ?? {}
  const statements = [up].flat()
  const sql = statements.join(';\n')
  // Reject an empty migration. Once recorded as applied, its later SQL would never run.
  if (statements.join('').trim() === '') {
    return runWithRetries(name, '', options, () => Promise.reject(new Error('it has no SQL')))
  }
  if (transaction) {
    return runWithRetries(name, sql, options, () =>
      inTransaction(client, async () => {
        await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
        await client.query(sql)
        await record(client, name)
      }),
    )
  }

  for (const statement of statements) {
    // A concurrent statement waits for older transactions, and writers do not wait behind it.
    const timeoutMs = /\bconcurrently\b/i.test(statement) ? 0 : lockTimeoutMs
    await runWithRetries(name, statement, options, async () => {
      await client.query(`set lock_timeout = ${timeoutMs}`)
      // `if not exists` would mistake the incomplete index of an interrupted run for a complete index.
      for (const index of await findInvalidIndexes(client, statement)) {
        await client.query(`drop index concurrently if exists ${index}`)
        onEvent({ type: 'dropped', migration: name, index })
      }
      await client.query(statement)
    })
  }
  await record(client, name)
}

interface MigrationErrorOptions {
  readonly migration: string
  /** True when the migration ran in a transaction. */
  readonly transaction: boolean
  /** The statement that failed. */
  readonly statement: string
  /** Incomplete indexes that the migration left behind. */
  readonly invalid: readonly string[]
  /** Attempts to get a lock. */
  readonly attempts: number
  readonly cause: unknown
}

/**
 * A migration failed. `code` is the SQLSTATE of PostgreSQL. `message` says which statements stay applied and which
 * indexes are incomplete.
 */
export class MigrationError extends Error {
  readonly code: unknown
  readonly migration: string

  constructor({ migration, transaction, statement, invalid, attempts, cause }: MigrationErrorOptions) {
    const { message, code, position } = cause as Error & { code?: unknown; position?: string }
    const lines = [
      `migration ${migration} failed${attempts > 1 ? ` after ${attempts} attempts` : ''}: ${message}${describePosition(statement, position)}`,
      transaction
        ? 'It was rolled back. Earlier migrations stay applied.'
        : 'It does not run in a transaction, so its earlier statements stay applied. The next run starts it again.',
      ...invalid.map((index) => `It left the incomplete index ${index}, which the next run drops.`),
    ]
    super(lines.join('\n'), { cause })
    this.name = 'MigrationError'
    this.code = code
    this.migration = migration
  }
}

/** Shows the line of the SQL at `position`, which counts characters from 1. */
function describePosition(statement: string, position = ''): string {
  const before = statement.slice(0, Number(position)).split('\n')
  if (position === '') return ''
  return `\n  line ${before.length}: ${statement.split('\n')[before.length - 1]?.trim()}`
}
