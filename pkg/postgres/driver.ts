import {
  AbortedTransactionError,
  type CompiledQuery,
  type DatabaseConnection,
  PostgresDriver,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import type pg from 'pg'
import type { Connection } from './connection.ts'
import type { Connections } from './connections.ts'
import {
  type DatabaseObserver,
  type DatabaseOperation,
  type DatabaseSpan,
  type DatabaseTracer,
  describeQuery,
  findOperation,
} from './describe.ts'
import { nameStatement, type PreparedQuery } from './prepare.ts'
import { type Query, serialize } from './statement.ts'

export interface DriverOptions {
  readonly connections: Connections
  /** Statement timeout that each transaction sets behind a pooler, in milliseconds. */
  readonly statementTimeoutMs: number
  readonly observer?: DatabaseObserver | undefined
  readonly tracer?: DatabaseTracer | undefined
}

/** A driver for Kysely whose single statements share connections. Savepoints are those of Kysely's driver. */
export class Driver extends PostgresDriver {
  readonly #options: DriverOptions
  #isDestroyed = false

  constructor(options: DriverOptions) {
    super({ pool: () => Promise.reject(new Error('not used')) })
    this.#options = options
  }

  /**
   * Kysely does not tell whether a transaction follows. It passes options for `db.connection()` and for a query with a
   * signal, whose statements need the same connection. It passes no options for a single statement or a transaction.
   */
  override async acquireConnection(options?: object): Promise<DatabaseConnection> {
    if (this.#isDestroyed) throw new Error('the database has already been destroyed')
    const isSession = options !== undefined
    const lease = new Lease(this.#options, isSession)
    if (isSession) await lease.hold()
    return lease
  }

  override beginTransaction(lease: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const { isolationLevel, accessMode } = settings
    const mode = [isolationLevel && `isolation level ${isolationLevel}`, accessMode].filter(Boolean)
    return (lease as Lease).begin(`begin ${mode.join(' ')}`)
  }

  override async commitTransaction(lease: DatabaseConnection): Promise<void> {
    // PostgreSQL responds with ROLLBACK after a failed statement, even when the caller has ignored the failure.
    if ((await (lease as Lease).end('commit')) === 'ROLLBACK') throw new AbortedTransactionError()
  }

  override async rollbackTransaction(lease: DatabaseConnection): Promise<void> {
    await (lease as Lease).end('rollback')
  }

  override async releaseConnection(lease: DatabaseConnection): Promise<void> {
    ;(lease as Lease).release()
  }

  override destroy(): Promise<void> {
    this.#isDestroyed = true
    return this.#options.connections.end()
  }
}

/** The first statement of a transaction also sends `BEGIN`, so `BEGIN` has no span. */
const TRANSACTION = { summary: 'transaction', name: '_OTHER' }
const COMMIT = { summary: 'COMMIT', name: 'COMMIT' }
const ROLLBACK = { summary: 'ROLLBACK', name: 'ROLLBACK' }

/** A connection for Kysely. It takes a connection from the pool only for a transaction, a session or a stream. */
class Lease implements DatabaseConnection {
  readonly #options: DriverOptions
  /** Accepts statements after the end of a transaction. */
  readonly #isSession: boolean
  #held: Connection | undefined
  /** Commands that begin the transaction. The first statement sends them. */
  #begin: readonly string[] = []
  #isInTransaction = false
  #isEnded = false
  /** Contains the wait for a connection and the statements of the transaction. */
  #transaction: DatabaseSpan | undefined
  /** The id of the current span when the transaction began. */
  #outerSpanId: string | undefined

  constructor(options: DriverOptions, isSession: boolean) {
    this.#options = options
    this.#isSession = isSession
  }

  async hold(): Promise<Connection> {
    this.#held ??= await this.#options.connections.reserve(this.#transaction)
    return this.#held
  }

  release(): void {
    if (this.#held !== undefined) this.#options.connections.release(this.#held)
    this.#held = undefined
    this.#isEnded = true
    this.#transaction?.end()
  }

  async begin(command: string): Promise<void> {
    this.#outerSpanId = this.#options.tracer?.currentSpanId()
    this.#transaction = this.#start(TRANSACTION)
    const { isDirect } = await this.hold()
    const timeout = this.#options.statementTimeoutMs
    const settings = ['statement_timeout', 'idle_in_transaction_session_timeout']
    this.#begin = [command, ...(isDirect ? [] : settings.map((name) => `set local ${name} = ${timeout}`))]
    this.#isInTransaction = true
  }

  /**
   * Ends the transaction. Kysely passes on statements of the transaction until this resolves, such as the other
   * statements of a `Promise.all` with a failed statement. They fail here, because they would run after the
   * transaction.
   *
   * @returns the command that the server has executed
   */
  async end(command: 'commit' | 'rollback'): Promise<string> {
    const isBegun = this.#begin.length === 0
    this.#begin = []
    this.#isEnded = true
    const operation = command === 'commit' ? COMMIT : ROLLBACK
    const span = isBegun ? this.#start(operation) : undefined
    const startedAt = performance.now()
    let failure: unknown
    try {
      return isBegun ? (await this.#send({ text: command, values: [] })).command : command
    } catch (error) {
      failure = error
      throw error
    } finally {
      if (isBegun) this.#options.observer?.onQuery(operation.name, performance.now() - startedAt, failure)
      span?.end(failure)
      this.#transaction?.end(failure)
      this.#transaction = undefined
      this.#isInTransaction = false
      this.#isEnded = !this.#isSession
    }
  }

  async executeQuery<R>(compiled: PreparedQuery): Promise<QueryResult<R>> {
    const span = this.#startQuery(compiled)
    const startedAt = performance.now()
    let failure: unknown
    try {
      const { command, rowCount, rows } = await this.#execute(toQuery(compiled, span))
      const isChange = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE'
      return isChange ? { rows, numAffectedRows: BigInt(rowCount ?? 0) } : { rows }
    } catch (error) {
      failure = error
      throw error
    } finally {
      this.#options.observer?.onQuery(findOperation(compiled.query.kind), performance.now() - startedAt, failure)
      span?.end(failure)
    }
  }

  async *streamQuery<R>(compiled: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    if (compiled.query.kind !== 'SelectQueryNode') {
      yield await this.executeQuery<R>(compiled)
      return
    }
    const span = this.#startQuery(compiled)
    let failure: unknown
    try {
      yield* this.#readChunks<R>(compiled, chunkSize)
    } catch (error) {
      failure = error
      throw error
    } finally {
      span?.end(failure)
    }
  }

  async *#readChunks<R>(compiled: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    const isOwn = !this.#isInTransaction
    if (isOwn) await this.begin('begin')
    const run = (text: string, values: readonly unknown[] = []) => this.#execute({ text, values: serialize(values) })
    try {
      await run(`declare kysely_stream no scroll cursor for ${compiled.sql}`, compiled.parameters)
      let rows: R[]
      do {
        rows = (await run(`fetch ${chunkSize} from kysely_stream`)).rows
        if (rows.length > 0) yield { rows }
      } while (rows.length === chunkSize)
    } finally {
      // Ignore errors of the end: the error of the failed stream is the cause.
      await (isOwn ? this.end('commit') : run('close kysely_stream')).catch(() => {})
    }
  }

  #execute(query: Query): Promise<pg.QueryResult> {
    if (!this.#isEnded) return this.#send(query)
    return Promise.reject(new Error('the statement came after the end of its transaction'))
  }

  async #send(query: Query) {
    const begin = this.#begin
    this.#begin = []
    try {
      if (this.#held === undefined) return await this.#options.connections.run(query)
      const isExtended = query.name !== undefined || query.values.length > 0
      if (begin.length === 0 || isExtended) return await this.#held.run(query, begin)
      // Raw SQL may consist of several statements, which need the simple protocol.
      return await this.#held.run({ ...query, text: [...begin, query.text].join(';') })
    } catch (error) {
      // Replace the stack of pg's parser, which does not lead to the caller.
      Error.captureStackTrace(error as Error)
      throw error
    }
  }

  #startQuery(compiled: CompiledQuery): DatabaseSpan | undefined {
    const isRecorded = this.#options.tracer?.currentSpanId() !== undefined
    return isRecorded ? this.#start(describeQuery(compiled)) : undefined
  }

  /**
   * Starts a span as a child of the transaction, or of the current span when work in the transaction has its own span.
   */
  #start(operation: DatabaseOperation): DatabaseSpan | undefined {
    const { tracer } = this.#options
    if (tracer === undefined) return undefined
    const isDirectly = this.#transaction !== undefined && tracer.currentSpanId() === this.#outerSpanId
    return tracer.start(operation, isDirectly ? this.#transaction : undefined)
  }
}

/** @throws the error of a value that cannot be converted to text */
function toQuery(compiled: PreparedQuery, span?: DatabaseSpan): Query {
  const { sql: text, parameters: values, query, name, columns } = compiled
  // Raw SQL without values may consist of several statements, which cannot have a name.
  const isNamed = query.kind !== 'RawNode' || values.length > 0
  return { text, values: serialize(values), columns, name: isNamed ? (name ?? nameStatement(text)) : undefined, span }
}
