import type { Socket } from 'node:net'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { migrations } from './migrations/index.ts'

/** The tables in the form of Kysely: one property for each table. */
export type Database = Record<never, never>

export interface PostgresOptions {
  readonly url: string
  /** Name of the connections in `pg_stat_activity`. */
  readonly applicationName: string
  readonly poolMax: number
  readonly connectTimeoutMs: number
  /** Enforced by the server. The client gives up one second later when the server does not respond. */
  readonly statementTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Called when an idle connection breaks. The pool opens a new connection on demand. */
  readonly onError: (error: Error) => void
}

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

type Query = (...args: unknown[]) => Promise<unknown>

/**
 * Closes the connection when the parser of pg throws. The parser runs in an event handler of the socket, so an
 * unexpected response (a GSSAPI log-in, a broken proxy) would otherwise end the process.
 *
 * Closes the connection when a query times out; otherwise the pool would keep handing out a dead connection, until TCP
 * gives up after about 15 minutes.
 */
class GuardedClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config)
    const { connection } = this as unknown as { connection: { attachListeners(stream: Socket): void } }
    const attachListeners = connection.attachListeners.bind(connection)
    // Called for the plain stream and again for TLS.
    connection.attachListeners = (stream) => {
      const emit = stream.emit.bind(stream)
      stream.emit = (event: string, ...args: unknown[]) => {
        try {
          return emit(event, ...args)
        } catch (error) {
          stream.destroy(error as Error)
          return true
        }
      }
      attachListeners(stream)
    }
    const send = this.query.bind(this) as Query
    const query: Query = async (...args) => {
      try {
        return await send(...args)
      } catch (error) {
        if ((error as Error).message === 'Query read timeout') void this.end()
        throw error
      }
    }
    Object.assign(this, { query })
  }
}

/**
 * Returns dates and timestamps as strings in the format of JSON. By default pg parses both to a `Date`, which can shift
 * a date by one day in another time zone.
 */
const types: pg.CustomTypesConfig = {
  getTypeParser(type, format) {
    const parse = pg.types.getTypeParser(type, format)
    if (type === pg.types.builtins.DATE) return (text: string) => text
    if (type === pg.types.builtins.TIMESTAMPTZ) {
      return (text: string) => {
        const moment = parse(text)
        return moment instanceof Date ? moment.toISOString() : text
      }
    }
    return parse
  },
}

/** Opens the first connection at the first query, so the service starts while the database is down. */
export function createPostgres(options: PostgresOptions): Postgres {
  const base: pg.PoolConfig & { Client: typeof pg.Client } = {
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + 1_000,
    // An abandoned transaction holds its locks no longer than a statement may take.
    idle_in_transaction_session_timeout: options.statementTimeoutMs,
    idleTimeoutMillis: options.idleTimeoutMs,
    keepAlive: true,
    types,
    Client: GuardedClient,
  }
  const pool = new pg.Pool({ ...base, max: options.poolMax, application_name: options.applicationName })
  const checkPool = new pg.Pool({
    ...base,
    max: 1,
    idleTimeoutMillis: 0,
    maxLifetimeSeconds: 60,
    application_name: `${options.applicationName} health`,
  })
  for (const each of [pool, checkPool]) {
    // Without a listener, one broken idle connection would end the process.
    each.on('error', options.onError)
    each.on('connect', (client) => client.on('error', options.onError))
  }
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] })
  return {
    db,
    checkPool,
    migrations: Object.keys(migrations),
    async stop() {
      await Promise.all([db.destroy(), checkPool.end()])
      // Kysely leaves an unused pool open.
      if (!pool.ended) await pool.end()
    },
  }
}
