import type pg from 'pg'
import { withTimeout } from '../with-timeout.ts'
import { GuardedClient } from './client.ts'
import { Connection, NotExecuted } from './connection.ts'
import type { Query } from './statement.ts'

export interface ConnectionsOptions {
  readonly client: pg.ClientConfig
  readonly max: number
  /** Longest wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Longest execution of one statement, and longest pause inside a transaction, in milliseconds. */
  readonly statementTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Whether statements keep their names. @default only on a direct connection */
  readonly prepare?: boolean | undefined
  /** Called when a connection breaks. */
  readonly onError: (error: Error) => void
}

/** A pool whose connections carry several single statements at once. */
export interface Connections {
  /** Runs one statement outside of a transaction. */
  run(query: Query): Promise<pg.QueryResult>
  /** Resolves with a connection for a transaction or a session. `release` must follow. */
  reserve(): Promise<Connection>
  release(connection: Connection): void
  /** Waits for the statements and transactions in progress, then closes every connection. */
  end(): Promise<void>
}

/** Maximum number of statements in flight on one connection. */
const DEPTH = 16
const TICK_MS = 5
/**
 * A statement is slow when its execution spans this number of ticks. Ticks do not count while this process is stalled.
 */
const SLOW_TICKS = 2
/** How long each connection carries one statement at a time after a slow statement, in milliseconds. */
const PAUSE_MS = 1_000
/** Time for the server to end a statement after its timeout, in milliseconds. */
const GRACE_MS = 1_000
/** Pause after a failed attempt to connect while other connections are open, in milliseconds. */
const RECONNECT_MS = 1_000

interface Waiter {
  readonly isExclusive: boolean
  take(connection: Connection): void
  reject(error: Error): void
}

/** Opens the first connection for the first statement. */
export function createConnections(options: ConnectionsOptions): Connections {
  const { max, connectTimeoutMs, statementTimeoutMs, idleTimeoutMs, onError } = options
  const open = new Set<Connection>()
  const waiting: Waiter[] = []
  let connecting = 0
  let pausedUntil = 0
  let reconnectAt = 0
  let lastError: Error | undefined
  let isTicking = false
  let sweeper: NodeJS.Timeout | undefined
  let ended: PromiseWithResolvers<void> | undefined

  const isPaused = () => pausedUntil > 0 && performance.now() < pausedUntil

  /** Returns the least busy connection that can take a statement at once. */
  function pick(isExclusive: boolean): Connection | undefined {
    const depth = isExclusive || isPaused() ? 1 : DEPTH
    let best: Connection | undefined
    for (const each of open) {
      const { inFlight, ticks } = each
      if (each.isReserved || each.isRetired || inFlight >= depth || ticks >= SLOW_TICKS) continue
      if (best === undefined || inFlight < best.inFlight) best = each
    }
    return best
  }

  function acquire(waiter: Waiter): void {
    const connection = waiting.length === 0 ? pick(waiter.isExclusive) : undefined
    if (connection !== undefined) {
      // Every connection is busy. Open another, so that a slow statement delays fewer statements.
      if (connection.inFlight > 0 && connecting === 0) grow(1)
      waiter.take(connection)
      startTicking()
      return
    }
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(limited), 1)
      const message = `timeout exceeded when trying to connect: ${open.size} of ${max} connections are open and busy`
      waiter.reject(new Error(message, { cause: lastError }))
    }, connectTimeoutMs)
    const limited: Waiter = {
      isExclusive: waiter.isExclusive,
      take(connection) {
        clearTimeout(timer)
        waiter.take(connection)
      },
      reject(error) {
        clearTimeout(timer)
        waiter.reject(error)
      },
    }
    waiting.push(limited)
    serve()
  }

  /** Gives connections to the waiters, in order. */
  function serve(): void {
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const connection = pick(first.isExclusive)
      if (connection === undefined) break
      waiting.shift()
      first.take(connection)
      startTicking()
    }
    if (waiting.length === 0) return
    const isAlone = waiting[0]?.isExclusive === true || isPaused()
    grow((isAlone ? waiting.length : Math.ceil(waiting.length / DEPTH)) - connecting)
  }

  function grow(count: number): void {
    if (open.size > 0 && performance.now() < reconnectAt) return
    for (let more = Math.min(count, max - open.size - connecting); more > 0; more--) void connect()
  }

  async function connect(): Promise<void> {
    connecting++
    const client = new GuardedClient({ ...options.client, connectionTimeoutMillis: connectTimeoutMs, pipeline: true })
    try {
      client.on('error', onError)
      await client.connect()
      const isDirect = await withTimeout(setTimeouts(client), connectTimeoutMs)
      const connection = new Connection({ client, isDirect, prepare: options.prepare, onSettled: settled })
      client.on('error', (error) => connection.destroy(error))
      client.on('end', () => {
        open.delete(connection)
        serve()
        finish()
      })
      open.add(connection)
      settled(connection)
      sweeper ??= setInterval(sweep, idleTimeoutMs / 4).unref()
      lastError = undefined
    } catch (error) {
      lastError = error as Error
      client.destroy()
      if (open.size > 0) {
        reconnectAt = performance.now() + RECONNECT_MS
        // The open connections may all be reserved.
        setTimeout(serve, RECONNECT_MS).unref()
      } else if (connecting === 1) for (const { reject } of waiting.splice(0)) reject(lastError)
    } finally {
      connecting--
      serve()
      finish()
    }
  }

  /**
   * Sets the timeouts of the session on the server. Behind a pooler, the settings would stay with a connection that
   * other clients use, so the pool cancels slow statements instead. A pooler reports another process number than the
   * server has. Resolves with true on a direct connection.
   */
  async function setTimeouts(client: GuardedClient): Promise<boolean> {
    const text = `select set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)
      where pg_backend_pid() = $2`
    const { rowCount } = await client.query(text, [String(statementTimeoutMs), client.processId])
    return rowCount === 1
  }

  /** Called when a statement has ended, and when the connection is opened or released. */
  function settled(connection: Connection): void {
    if (!connection.isReserved && connection.client.getTransactionStatus() !== 'I') {
      connection.destroy(new Error('Connection terminated: a statement left a transaction open'))
    }
    if (waiting.length > 0) serve()
    if (connection.isRetired || ended !== undefined) closeIdle(connection)
  }

  function closeIdle(connection: Connection): void {
    if (connection.inFlight > 0 || connection.isReserved) return
    connection.isRetired = true
    connection.client.end().catch(() => {})
  }

  function startTicking(): void {
    if (!isTicking) setTimeout(tick, TICK_MS).unref()
    isTicking = true
  }

  /** Runs only while statements are in flight. */
  function tick(): void {
    isTicking = false
    const now = performance.now()
    for (const connection of open) {
      if (connection.inFlight === 0) continue
      startTicking()
      if (++connection.ticks < SLOW_TICKS) continue
      if (connection.ticks === SLOW_TICKS && !connection.isReserved) {
        pausedUntil = now + PAUSE_MS
        serve()
      }
      const overdueMs = now - connection.since - statementTimeoutMs
      // A transaction has its own timeout on the server. A cancellation after it could end the next statement.
      const cancelMs = connection.isReserved ? GRACE_MS / 2 : 0
      if (overdueMs >= GRACE_MS) connection.destroy(new Error('Query read timeout'))
      else if (overdueMs >= cancelMs && !connection.isDirect) connection.cancel()
    }
  }

  function sweep(): void {
    const idleSince = performance.now() - idleTimeoutMs
    for (const connection of open) {
      if (connection.since <= idleSince && !connection.isRetired) closeIdle(connection)
    }
    if (open.size > 0) return
    clearInterval(sweeper)
    sweeper = undefined
  }

  function finish(): void {
    if (open.size + connecting + waiting.length === 0) ended?.resolve()
  }

  const runOnce = (query: Query) =>
    new Promise<pg.QueryResult>((resolve, reject) => {
      acquire({ isExclusive: false, take: (connection) => resolve(connection.run(query)), reject })
    })

  return {
    async run(query) {
      try {
        return await runOnce(query)
      } catch (error) {
        if (!(error instanceof NotExecuted)) throw error
        return runOnce({ ...query, name: undefined }).catch((error) => {
          throw error instanceof NotExecuted ? error.cause : error
        })
      }
    },

    reserve: () =>
      new Promise((resolve, reject) => {
        const take = (connection: Connection) => {
          connection.isReserved = true
          resolve(connection)
        }
        acquire({ isExclusive: true, take, reject })
      }),

    release(connection) {
      connection.isReserved = false
      connection.since = performance.now()
      if (connection.inFlight === 0) settled(connection)
      else connection.destroy(new Error('Connection terminated: released during a statement'))
    },

    end() {
      ended ??= Promise.withResolvers()
      for (const connection of open) closeIdle(connection)
      finish()
      return ended.promise
    },
  }
}
