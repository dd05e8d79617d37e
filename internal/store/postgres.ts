import type { Socket } from 'node:net'
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { migrations } from './migrations/index.ts'

/** The tables, one property each, as Kysely wants them. */
export type Database = Record<never, never>

export interface PostgresOptions {
  readonly url: string
  /** What `pg_stat_activity` shows. */
  readonly applicationName: string
  readonly poolMax: number
  readonly connectTimeoutMs: number
  /** Enforced by the server; a server that does not answer at all is given up on a second later. */
  readonly statementTimeoutMs: number
  readonly idleTimeoutMs: number
  /** An idle connection broke. The pool opens another when one is needed. */
  readonly onError: (error: Error) => void
}

export interface Postgres {
  /** Columns are camelCase here and snake_case in SQL. */
  readonly db: Kysely<Database>
  /** One connection that only the health check uses, renewed every minute so that it proves that logging in works. */
  readonly checkPool: Pick<pg.Pool, 'connect'>
  /** Names of the migrations that the queries of this build rely on. */
  readonly migrations: readonly string[]
  /** Waits for queries under way, then closes every connection. */
  stop(): Promise<void>
}

type Query = (...args: unknown[]) => Promise<unknown>

/**
 * A client whose connection fails where pg throws. Its parser runs in a socket's event handler, so
 * an answer that it does not expect (a log-in by GSSAPI, a broken proxy) would end the process.
 *
 * And one that ends with a query that nobody answers. The pool would keep its connection, on which every later
 * query waits as long and in vain, until TCP gives it up after a quarter of an hour.
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
 * Days and moments as JSON has them, where pg makes a Date of both: the day would be another one in another time zone.
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

/** Opens nothing until the first query, so a database that is down never stops a start. */
export function createPostgres(options: PostgresOptions): Postgres {
  const base: pg.PoolConfig & { Client: typeof pg.Client } = {
    connectionString: options.url,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    query_timeout: options.statementTimeoutMs + 1_000,
    // A transaction that nobody goes on with holds its locks for no longer than a statement may.
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
      // Kysely ends only a pool that it has used.
      if (!pool.ended) await pool.end()
    },
  }
}
