import type { Kysely } from 'kysely'
import pg from 'pg'
import { createDatabase, type DatabaseOptions, GuardedClient, types } from '#pkg/postgres/index.ts'
import { migrations } from './migrations/index.ts'

/** The tables in the form of Kysely: one property for each table. */
export type Database = Record<never, never>

export interface Postgres {
  /** Columns are camelCase here and snake_case in SQL. */
  readonly db: Kysely<Database>
  /** Pool of the health check, with one connection. It is renewed every minute to verify that logging in works. */
  readonly checkPool: Pick<pg.Pool, 'connect'>
  /** Names of the migrations that the queries of this build require. */
  readonly migrations: readonly string[]
  /** Waits for the queries in progress, then closes every connection. */
  stop(): Promise<void>
}

/** Opens the first connection at the first query, so the service starts while the database is down. */
export function createPostgres(options: DatabaseOptions): Postgres {
  const db = createDatabase<Database>(options)
  const checkPool = new pg.Pool({
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
  checkPool.on('error', options.onError)
  checkPool.on('connect', (client) => client.on('error', options.onError))
  return {
    db,
    checkPool,
    migrations: Object.keys(migrations),
    async stop() {
      await Promise.all([db.destroy(), checkPool.end()])
    },
  }
}
