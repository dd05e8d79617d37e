import type pg from 'pg'
import { withTimeout } from '../with-timeout.ts'
import { GuardedClient } from './client.ts'
import { type Query, type RowFormat, Statement } from './statement.ts'
import type { Priority } from './waiters.ts'

/**
 * The server did not execute the statement, although the statement is valid. Outside a transaction it may run again,
 * unnamed, on another connection.
 */
export class NotExecuted extends Error {
  override readonly name = 'NotExecuted'
}

/**
 * Maximum number of named statements per connection, because the server keeps each named statement in memory. Further
 * statements have no name.
 */
const MAX_NAMES = 150

/** SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const QUERY_CANCELED = '57014'
/** The server is a standby. After a failover, an old connection may lead to the former primary. */
const READ_ONLY = '25006'
/** The statement is unknown, or its name is taken. A pooler without support for names causes both. */
const LOST_STATEMENT = /^(26000|42P05)$/
/** The function of the server that rejects a named statement whose columns have changed their types. */
const CHANGED_STATEMENT = 'RevalidateCachedQuery'

export interface ConnectionOptions {
  readonly client: GuardedClient
  /** False behind a pooler such as PgBouncer, where a setting of the session would reach other clients. */
  readonly isDirect: boolean
  /**
   * Gives statements names, so that the server keeps the parsed statements. A pooler may lose them. @default true on
   * direct connections only
   */
  readonly prepare?: boolean | undefined
  /** Called when a statement is sent while no other statement is in flight. */
  readonly onBusy: () => void
  /** Called when a statement has ended, with the ticks since it was sent. */
  readonly onSettled: (connection: Connection, ticks: number) => void
}

/** A connection that sends statements before the previous statements have ended. The server executes them in order. */
export class Connection {
  readonly client: GuardedClient
  readonly isDirect: boolean
  /** Reserved for one transaction or session. */
  isReserved = false
  /** True when the connection gets no more statements. It closes when its last statement has ended. */
  isRetired = false
  inFlight = 0
  /** The priority of the operations that use the connection now. */
  priority: Priority = 'normal'
  /** Number of ticks of the pool since the current statement began. */
  ticks = 0
  /** Number of ticks of the pool while statements were in flight. */
  allTicks = 0
  /** Time when the current statement began or the last statement ended: `performance.now()`, in milliseconds. */
  since = performance.now()
  readonly #maxNames: number
  /** Named statements with the format of their rows, which is undefined until an execution has ended. */
  readonly #formats = new Map<string, RowFormat | undefined>()
  readonly #onBusy: () => void
  readonly #onSettled: ConnectionOptions['onSettled']
  #ended = 0
  #cancelled: number | undefined
  #broken: Error | undefined

  constructor({ client, isDirect, prepare = isDirect, onBusy, onSettled }: ConnectionOptions) {
    this.client = client
    this.isDirect = isDirect
    this.#maxNames = prepare ? MAX_NAMES : 0
    this.#onBusy = onBusy
    this.#onSettled = onSettled
  }

  get isBusy(): boolean {
    return this.isReserved || this.inFlight > 0
  }

  /** @param before commands that begin a transaction. They need a query in the extended protocol. */
  run(query: Query, before?: readonly string[]): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => this.send(query, resolve, reject, before))
  }

  /** Runs a statement like `run`, for callers that already have a promise. */
  send(
    query: Query,
    resolve: (result: pg.QueryResult) => void,
    reject: (error: Error) => void,
    before: readonly string[] = [],
  ): void {
    const name = this.#chooseName(query, before.length > 0)
    // The server rejects a named statement whose rows have changed. A pooler prepares it again on another connection.
    const isDescribed = name !== undefined && this.isDirect && before.length === 0
    const known = isDescribed ? this.#formats.get(name) : undefined
    const format = known?.columns === query.columns ? known : undefined
    const statement = new Statement(name === query.name ? query : { ...query, name }, before, format)
    const position = this.#ended + this.inFlight
    const sentAt = this.allTicks
    if (this.inFlight++ === 0) {
      this.#beginStatement()
      this.#onBusy()
    }
    statement.callback = (error, results) => {
      statement.callback = () => {}
      this.inFlight--
      this.#ended++
      this.#beginStatement()
      // A chunk may contain the responses of several statements, and pg reads it to its end even after a failure.
      if (this.#broken !== undefined) reject(this.#broken)
      else if (error === null) {
        if (format === undefined && name !== undefined) this.#formats.set(name, statement.format)
        resolve(Array.isArray(results) ? (results.at(-1) ?? results[0]) : results)
      } else reject(this.#explain(error, position, name))
      this.#onSettled(this, this.allTicks - sentAt)
    }
    this.client.batch()
    this.client.query(statement)
  }

  /** Ends the current statement on the server. */
  cancel(): void {
    if (this.#cancelled !== undefined) return
    this.#cancelled = this.#ended
    // The request may arrive late and end the next statement.
    this.isRetired = true
    this.client.cancel()
  }

  /** Closes the connection. Every statement on it fails with this error. */
  destroy(error: Error): void {
    this.#broken ??= error
    this.isRetired = true
    this.client.destroy(error)
  }

  #beginStatement(): void {
    this.ticks = 0
    this.since = performance.now()
  }

  #chooseName({ name }: Query, isFirst: boolean): string | undefined {
    if (name === undefined) return undefined
    // pg would mistake the first response to `before` for the confirmation that the server has parsed the statement.
    if (isFirst && this.#formats.get(name) === undefined) return undefined
    if (!this.#formats.has(name)) {
      if (this.#formats.size >= this.#maxNames) return undefined
      this.#formats.set(name, undefined)
    }
    return name
  }

  #explain(error: Error, position: number, name: string | undefined): Error {
    const { code = '', routine } = error as Partial<pg.DatabaseError>
    const isLost = name !== undefined && (LOST_STATEMENT.test(code) || routine === CHANGED_STATEMENT)
    if (isLost || code === READ_ONLY) this.isRetired = true
    const isCancelled = code === QUERY_CANCELED && this.#cancelled !== undefined
    // The message of the server says that the user requested the cancellation.
    if (isCancelled && this.#cancelled === position) error.message = 'canceling statement due to statement timeout'
    const isBystander = isCancelled && this.#cancelled !== position
    if (!isLost && !isBystander) return error
    // A transaction cannot continue after an error: this message makes it fail with `database_unavailable`.
    return new NotExecuted(`Connection terminated: ${error.message}`, { cause: error })
  }
}

export interface OpenOptions extends Pick<ConnectionOptions, 'prepare' | 'onBusy' | 'onSettled'> {
  readonly client: pg.ClientConfig
  /** Time limit of the wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Time limit of a statement, and of a pause inside a transaction, in milliseconds. */
  readonly statementTimeoutMs: number
  /** Called when a connection breaks. */
  readonly onError: (error: Error) => void
}

/** Opens a connection, and finds out whether it leads to a pooler. */
export async function openConnection(options: OpenOptions): Promise<Connection> {
  const { connectTimeoutMs, statementTimeoutMs, onError } = options
  const client = new GuardedClient({ ...options.client, connectionTimeoutMillis: connectTimeoutMs, pipeline: true })
  client.on('error', onError)
  try {
    await client.connect()
    const isDirect = await withTimeout(setTimeouts(client, statementTimeoutMs), connectTimeoutMs)
    const connection = new Connection({ ...options, client, isDirect })
    client.on('error', (error) => connection.destroy(error))
    return connection
  } catch (error) {
    client.destroy()
    throw error
  }
}

/**
 * Sets the timeouts of the session on the server. Behind a pooler, the settings would stay with a connection that other
 * clients use, so the pool cancels slow statements instead. A pooler reports a process number that differs from the
 * server's. Resolves with true on a direct connection.
 */
async function setTimeouts(client: GuardedClient, timeoutMs: number): Promise<boolean> {
  const text = `select set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)
    where pg_backend_pid() = $2`
  const { rowCount } = await client.query(text, [String(timeoutMs), client.processId])
  return rowCount === 1
}
