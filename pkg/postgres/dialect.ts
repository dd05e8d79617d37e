import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  PostgresAdapter,
  PostgresDriver,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import type { Connection } from './connection.ts'
import type { Connections } from './connections.ts'
import { nameStatement, type PreparedQuery } from './prepare.ts'
import type { Query } from './statement.ts'

export interface DialectOptions {
  readonly connections: Connections
  /** Statement timeout that each transaction sets behind a pooler, in milliseconds. */
  readonly statementTimeoutMs: number
}

/** A dialect of Kysely whose single statements share connections. */
export function createDialect(options: DialectOptions): Dialect {
  return {
    createDriver: () => new Driver(options),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  }
}

class Driver extends PostgresDriver {
  readonly #options: DialectOptions

  constructor(options: DialectOptions) {
    super({ pool: () => Promise.reject(new Error('not used')) })
    this.#options = options
  }

  override async init(): Promise<void> {}

  /**
   * Kysely does not say whether a transaction follows. It passes options for `db.connection()` and for a query with a
   * signal, whose statements need the same connection, and none for a single statement or a transaction.
   */
  override async acquireConnection(options?: object): Promise<DatabaseConnection> {
    const lease = new Lease(this.#options)
    if (options !== undefined) await lease.hold()
    return lease as DatabaseConnection
  }

  override beginTransaction(lease: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const { isolationLevel, accessMode } = settings
    const mode = [isolationLevel && `isolation level ${isolationLevel}`, accessMode].filter(Boolean)
    return (lease as Lease).begin(`begin ${mode.join(' ')}`)
  }

  override async commitTransaction(lease: DatabaseConnection): Promise<void> {
    if (!(lease as Lease).forgetBegin()) await super.commitTransaction(lease)
  }

  override async rollbackTransaction(lease: DatabaseConnection): Promise<void> {
    if (!(lease as Lease).forgetBegin()) await (lease as Lease).execute({ text: 'rollback', values: [] })
  }

  override async releaseConnection(lease: DatabaseConnection): Promise<void> {
    ;(lease as Lease).release()
  }

  override destroy(): Promise<void> {
    return this.#options.connections.end()
  }
}

/**
 * A connection as Kysely sees it. It reserves a connection of the pool only for a transaction, a session or a stream.
 */
class Lease implements DatabaseConnection {
  readonly #options: DialectOptions
  #held: Connection | undefined
  /** Commands that begin the transaction. The first statement sends them. */
  #begin: readonly string[] = []
  #isInTransaction = false

  constructor(options: DialectOptions) {
    this.#options = options
  }

  async hold(): Promise<Connection> {
    this.#held ??= await this.#options.connections.reserve()
    return this.#held
  }

  release(): void {
    if (this.#held !== undefined) this.#options.connections.release(this.#held)
    this.#held = undefined
  }

  async begin(command: string): Promise<void> {
    const { isDirect } = await this.hold()
    const timeout = this.#options.statementTimeoutMs
    const settings = ['statement_timeout', 'idle_in_transaction_session_timeout']
    this.#begin = [command, ...(isDirect ? [] : settings.map((name) => `set local ${name} = ${timeout}`))]
    this.#isInTransaction = true
  }

  /** Discards the commands that begin the transaction. Returns false when they were already sent. */
  forgetBegin(): boolean {
    const isPending = this.#begin.length > 0
    this.#begin = []
    return isPending
  }

  async execute(query: Query) {
    const begin = this.#begin
    this.#begin = []
    try {
      if (this.#held === undefined) return await this.#options.connections.run(query)
      const isExtended = query.name !== undefined || query.values.length > 0
      if (begin.length === 0 || isExtended) return await this.#held.run(query, begin)
      await this.#held.run({ text: begin.join(';'), values: [] })
      return await this.#held.run(query)
    } catch (error) {
      // Replace the stack of pg's parser, which does not lead to the caller.
      Error.captureStackTrace(error as Error)
      throw error
    }
  }

  async executeQuery<R>(compiled: PreparedQuery): Promise<QueryResult<R>> {
    const { command, rowCount, rows } = await this.execute(toQuery(compiled))
    if (command === 'COMMIT' || command === 'ROLLBACK') return { rows: [{ command }] as R[] }
    const isChange = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE'
    return isChange ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows }
  }

  async *streamQuery<R>(compiled: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    if (compiled.query.kind !== 'SelectQueryNode') {
      yield await this.executeQuery<R>(compiled)
      return
    }
    const isOwn = !this.#isInTransaction
    if (isOwn) await this.begin('begin')
    const run = (text: string, values: readonly unknown[] = []) => this.execute({ text, values })
    try {
      await run(`declare kysely_stream no scroll cursor for ${compiled.sql}`, compiled.parameters)
      let rows: R[]
      do {
        rows = (await run(`fetch ${chunkSize} from kysely_stream`)).rows
        if (rows.length > 0) yield { rows }
      } while (rows.length === chunkSize)
    } finally {
      // Ignore errors here: the error of a failed stream is already thrown.
      await run(isOwn ? 'commit' : 'close kysely_stream').catch(() => {})
    }
  }
}

function toQuery({ sql: text, parameters: values, query, name, columns }: PreparedQuery): Query {
  // Raw SQL without values may consist of several statements, which cannot have a name.
  const isNamed = query.kind !== 'RawNode' || values.length > 0
  return { text, values, columns, name: isNamed ? (name ?? nameStatement(text)) : undefined }
}
