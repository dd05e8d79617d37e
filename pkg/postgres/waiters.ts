import { CodedError } from '../problem/index.ts'
import type { Connection } from './connection.ts'
import type { DatabaseSpan } from './describe.ts'

/** Priorities in the order in which waiting operations get connections. */
export const PRIORITIES = ['core', 'normal', 'background'] as const
export type Priority = (typeof PRIORITIES)[number]

/**
 * The share of the pool that the operations of a priority may hold, so that operations of a higher priority find a
 * connection.
 */
const SHARES: Readonly<Record<Priority, number>> = { core: 1, normal: 0.6, background: 0.2 }

/**
 * Returns the number of connections that the operations of a priority may hold.
 *
 * @param hasCore whether the service has core operations. Without core operations, the pool reserves no connections
 */
export function findMaxHeld(priority: Priority, poolMax: number, hasCore: boolean): number {
  if (priority === 'normal' && !hasCore) return poolMax
  return Math.max(1, Math.floor(SHARES[priority] * poolMax))
}

/** An operation that waits for a connection. */
export interface Waiter {
  readonly priority: Priority
  /** True when the operation needs a connection for itself. */
  readonly isExclusive: boolean
  /** The span of the operation. */
  readonly span?: DatabaseSpan | undefined
  take(connection: Connection): void
  reject(error: Error): void
}

export interface WaitersOptions {
  /** Time limit of a wait, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Time limit of a wait while all connections that the operation may use are busy, in milliseconds. */
  readonly queueTimeoutMs: number
  /** Returns true when the pool can give no further connection to operations of this priority. */
  readonly isFull: (priority: Priority) => boolean
  /** Creates the error for a timeout. */
  readonly createTimeout: () => Error
  readonly onWait: (durationMs: number, gotOne: boolean) => void
  /** Starts the span of a wait. */
  readonly startSpan: (parent: DatabaseSpan | undefined) => DatabaseSpan | undefined
}

/** Creates the queues of operations that wait for a connection, one for each priority. */
export function createWaiters(options: WaitersOptions) {
  const { connectTimeoutMs, queueTimeoutMs, isFull, createTimeout, onWait, startSpan } = options
  const lines: Readonly<Record<Priority, Waiter[]>> = { core: [], normal: [], background: [] }

  return {
    lines,
    size: () => lines.core.length + lines.normal.length + lines.background.length,
    removeAll: () => PRIORITIES.flatMap((priority) => lines[priority].splice(0)),
    /** Adds an operation. Rejects it when it gets no connection in time. */
    add({ priority, isExclusive, span: parent, take, reject }: Waiter): void {
      const startedAt = performance.now()
      const span = startSpan(parent)
      let timer: NodeJS.Timeout
      const waiter: Waiter = {
        priority,
        isExclusive,
        take(connection) {
          clearTimeout(timer)
          onWait(performance.now() - startedAt, true)
          span?.end()
          take(connection)
        },
        reject(error) {
          clearTimeout(timer)
          span?.end(error)
          reject(error)
        },
      }
      let waitedMs = 0
      /** Waits for the queue timeout, then twice as long each time, so that a short timeout starts few timers. */
      function wait(): void {
        const nextMs = Math.min(Math.max(queueTimeoutMs, 2 * waitedMs), connectTimeoutMs)
        // After a stall of the process, the responses that free a connection are read before the immediate.
        timer = setTimeout(() => setImmediate(decide), nextMs - waitedMs)
        waitedMs = nextMs
      }
      function decide(): void {
        const index = lines[priority].indexOf(waiter)
        if (index === -1) return
        const isLast = waitedMs === connectTimeoutMs
        if (!isLast && !isFull(priority)) {
          // The pool can still grow, but the server is slow or down.
          wait()
          return
        }
        lines[priority].splice(index, 1)
        onWait(performance.now() - startedAt, false)
        const timeout = createTimeout()
        waiter.reject(isLast ? timeout : new CodedError('overloaded', { cause: timeout }))
      }
      wait()
      lines[priority].push(waiter)
    },
  }
}
