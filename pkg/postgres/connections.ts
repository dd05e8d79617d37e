import type pg from 'pg'
import { type Connection, NotExecuted, type OpenOptions, openConnection } from './connection.ts'
import type { DatabaseObserver, DatabaseSpan, DatabaseTracer } from './describe.ts'
import type { Query } from './statement.ts'
import { createWaiters, findMaxHeld, PRIORITIES, type Priority, type Waiter } from './waiters.ts'
import { GRACE_MS, LATE_TICKS, watchStatements } from './watch.ts'

export interface ConnectionsOptions extends Omit<OpenOptions, 'onBusy' | 'onSettled'> {
  readonly poolMax: number
  /**
   * Time limit of the wait while all connections that an operation may use are busy, in milliseconds. @default
   * connectTimeoutMs
   */
  readonly queueTimeoutMs?: number | undefined
  /** Returns the priority of the current operation. Undefined means normal. @default all operations are normal */
  readonly priority?: (() => Priority | undefined) | undefined
  /** Lifetime of an idle connection, in milliseconds. */
  readonly idleTimeoutMs: number
  /** @default no measurements */
  readonly observer?: DatabaseObserver | undefined
  /** @default no spans */
  readonly tracer?: DatabaseTracer | undefined
}

/** A pool whose connections carry several single statements at once. */
export interface Connections {
  /** Runs one statement outside a transaction. */
  run(query: Query): Promise<pg.QueryResult>
  /**
   * Resolves with a connection for a transaction or a session. The caller must call `release`. `span` contains the
   * wait.
   */
  reserve(span?: DatabaseSpan): Promise<Connection>
  release(connection: Connection): void
  /** Waits for the statements and transactions in progress, then closes every connection. */
  end(): Promise<void>
}

/**
 * Maximum number of statements in flight on a connection. A few connections with many statements each need the fewest
 * system calls.
 */
const MAX_DEPTH = 16
const MIN_DEPTH = 4
/** Time after a slow statement in which each connection carries one statement at a time, in milliseconds. */
const PAUSE_MS = 1_000
/** Pause after a failed attempt to connect while other connections are open, in milliseconds. */
const RECONNECT_MS = 1_000

const WAIT = { summary: 'wait for a connection', name: '_OTHER' }

/** Creates a pool, which opens its first connection for the first statement. */
export function createConnections(options: ConnectionsOptions): Connections {
  const { poolMax, connectTimeoutMs, statementTimeoutMs, idleTimeoutMs, observer, tracer } = options
  const { queueTimeoutMs = connectTimeoutMs, priority: findPriority = () => undefined } = options
  const open = new Set<Connection>()
  const waiting = createWaiters({
    connectTimeoutMs,
    queueTimeoutMs,
    isFull: (priority) => open.size >= poolMax || countFree(priority) <= 0,
    createTimeout() {
      const message = `timeout exceeded when trying to connect: ${open.size} of ${poolMax} connections are open and busy`
      return new Error(message, { cause: lastError })
    },
    onWait: (durationMs, gotOne) => observer?.onWait(durationMs, gotOne),
    startSpan: (parent) => tracer?.start(WAIT, parent),
  })
  /** The first core operation sets this. From then on, the pool reserves connections for core operations. */
  let hasCore = false
  /**
   * Current maximum of statements in flight on a connection. It falls with each late statement and rises with each
   * other statement.
   */
  let depth = MAX_DEPTH
  let connecting = 0
  let pausedUntil = 0
  let reconnectAt = 0
  let lastError: Error | undefined
  let sweeper: NodeJS.Timeout | undefined
  let ended: PromiseWithResolvers<void> | undefined

  const startTicking = watchStatements({
    connections: open,
    statementTimeoutMs,
    onSlow() {
      pausedUntil = performance.now() + PAUSE_MS
      serve()
    },
  })

  const isPaused = () => pausedUntil > 0 && performance.now() < pausedUntil

  const maxInFlight = () => (isPaused() ? 1 : Math.floor(depth))

  /** Counts the additional connections that operations of a priority may take. */
  function countFree(priority: Priority): number {
    const limit = findMaxHeld(priority, poolMax, hasCore)
    if (limit === poolMax) return poolMax
    let held = 0
    for (const each of open) if (each.isBusy && each.priority === priority) held++
    return limit - held
  }

  /**
   * Returns the first connection that can take a statement at once, so that other connections stay idle for slow
   * statements. The statements on a connection have one priority, so a slow background statement delays no statement of
   * another priority.
   */
  function pick({ isExclusive, priority }: Waiter): Connection | undefined {
    const limit = isExclusive ? 1 : maxInFlight()
    const hasFree = countFree(priority) > 0
    for (const each of open) {
      if (each.isReserved || each.isRetired || each.inFlight >= limit || each.ticks >= LATE_TICKS) continue
      if (each.isBusy ? each.priority === priority : hasFree) return each
    }
    return undefined
  }

  function give(connection: Connection, waiter: Waiter): void {
    connection.priority = waiter.priority
    waiter.take(connection)
  }

  function acquire(request: Omit<Waiter, 'priority'>): void {
    const waiter = { ...request, priority: findPriority() ?? 'normal' }
    if (waiter.priority === 'core') hasCore = true
    const connection = waiting.lines[waiter.priority].length === 0 ? pick(waiter) : undefined
    if (connection !== undefined) give(connection, waiter)
    else {
      waiting.add(waiter)
      serve()
    }
  }

  /** Gives connections to the waiters, in the order of their priority. */
  function serve(): void {
    for (const priority of PRIORITIES) {
      const line = waiting.lines[priority]
      for (let first = line[0]; first !== undefined; first = line[0]) {
        const connection = pick(first)
        if (connection === undefined) break
        line.shift()
        give(connection, first)
      }
    }
    if (waiting.size() > 0) grow()
  }

  /** Counts the additional connections that would serve the waiters. */
  function countNeeded(): number {
    let count = 0
    for (const priority of PRIORITIES) {
      const line = waiting.lines[priority]
      const limit = line[0]?.isExclusive === true ? 1 : maxInFlight()
      count += Math.max(0, Math.min(Math.ceil(line.length / limit), countFree(priority)))
    }
    return count
  }

  function grow(): void {
    const free = poolMax - open.size - connecting
    if (free <= 0 || (open.size > 0 && performance.now() < reconnectAt)) return
    for (let more = Math.min(countNeeded() - connecting, free); more > 0; more--) void connect()
  }

  async function connect(): Promise<void> {
    connecting++
    try {
      const connection = await openConnection({ ...options, onBusy: startTicking, onSettled: settled })
      connection.client.on('end', () => {
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
      if (open.size > 0) {
        reconnectAt = performance.now() + RECONNECT_MS
        // The open connections may all be reserved.
        setTimeout(reconnect, RECONNECT_MS).unref()
      } else if (connecting === 1) for (const { reject } of waiting.removeAll()) reject(lastError)
    } finally {
      connecting--
      serve()
      finish()
    }
  }

  function reconnect(): void {
    // A timer may fire up to one millisecond early.
    reconnectAt = 0
    serve()
  }

  /** Called when a statement has ended, and when the connection is opened or released. */
  function settled(connection: Connection, ticks = 0): void {
    if (!connection.isReserved) {
      depth = ticks > LATE_TICKS ? Math.max(MIN_DEPTH, depth * 0.75) : Math.min(MAX_DEPTH, depth + 1 / depth)
      if (connection.client.getTransactionStatus() !== 'I') {
        connection.destroy(new Error('Connection terminated: a statement left a transaction open'))
      }
    }
    if (waiting.size() > 0) serve()
    if (connection.isRetired || ended !== undefined) closeIdle(connection)
  }

  function closeIdle(connection: Connection): void {
    if (connection.inFlight > 0 || connection.isReserved) return
    connection.isRetired = true
    connection.client.end().catch(() => {})
    // A server that no longer exists does not close its end, so the connection would occupy a place in the pool for
    // minutes.
    setTimeout(() => connection.client.destroy(), GRACE_MS).unref()
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
    if (open.size + connecting + waiting.size() === 0) ended?.resolve()
  }

  const send = (query: Query) =>
    new Promise<pg.QueryResult>((resolve, reject) => {
      const take = (connection: Connection) => connection.send(query, resolve, reject)
      acquire({ isExclusive: false, span: query.span, take, reject })
    })

  /** Sends a statement again without a name. */
  async function sendAgain(query: Query): Promise<pg.QueryResult> {
    try {
      return await send({ ...query, name: undefined })
    } catch (error) {
      throw error instanceof NotExecuted ? error.cause : error
    }
  }

  observer?.onPool(() => {
    const used = [...open].filter(({ isBusy }) => isBusy).length
    return { used, idle: open.size - used, waiting: waiting.size() }
  })

  return {
    run: (query) =>
      // A callback of the connection runs outside of the request. A reaction of the promise runs inside, so the
      // statement that is sent again has the priority and the trace of its request.
      send(query).catch((error) => {
        if (error instanceof NotExecuted) return sendAgain(query)
        throw error
      }),

    reserve: (span) =>
      new Promise((resolve, reject) => {
        const take = (connection: Connection) => {
          connection.isReserved = true
          resolve(connection)
        }
        acquire({ isExclusive: true, span, take, reject })
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
