import type { Kysely } from 'kysely'
import pg from 'pg'
import { postgresCheck } from '#pkg/health/checks/postgres.ts'
import type { Check } from '#pkg/health/index.ts'
import { createDatabase, type DatabaseOptions, GuardedClient, types } from '#pkg/postgres/index.ts'
import { migrations } from './migrations/index.ts'

/** The tables in the form of Kysely: one property for each table. */
export type Database = Record<never, never>

export interface Postgres {
  /** Columns are camelCase here and snake_case in SQL. */
  readonly db: Kysely<Database>
  /** Fails while the database lacks a migration of this build. */
  readonly check: Check
  /** Waits for the queries in progress, then closes every connection. */
  stop(): Promise<void>
}

export interface PostgresOptions extends DatabaseOptions {
  /** Called with the migrations of the database that this build lacks. */
  readonly onUnknownMigrations?: (migrations: readonly string[]) => void
}

/** Opens the first connection at the first query, so the service starts while the database is down. */
export function createPostgres({ onUnknownMigrations, ...options }: PostgresOptions): Postgres {
  const db = createDatabase<Database>(options)
  // The pool of the check has one connection, which is renewed every minute to verify that logging in works.
  const pool = new pg.Pool({
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.statementTimeoutMs,
    keepAlive: true,
    types,
    Client: GuardedClient,
    max: 1,
    idleTimeoutMillis: 0,
    maxLifetimeSeconds: 60,
    application_name: `${options.applicationName} health`,
  })
  // Without a listener, one broken idle connection would end the process.
  pool.on('error', options.onError)
  pool.on('connect', (client) => client.on('error', options.onError))
  return {
    db,
    check: postgresCheck({ pool, migrations: Object.keys(migrations), onUnknown: onUnknownMigrations }),
    async stop() {
      await Promise.all([db.destroy(), pool.end()])
    },
  }
}
