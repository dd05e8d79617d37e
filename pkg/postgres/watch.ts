import type { Connection } from './connection.ts'

/**
 * Interval of the ticks, in milliseconds. A turn of the event loop has at most one tick, so a busy process does not
 * mistake its own delay for a slow server.
 */
const TICK_MS = 1
/**
 * A statement is late when its result has taken more ticks than this, because it has waited for the statements before
 * it.
 */
export const LATE_TICKS = 3
/** A statement is slow when its execution alone has taken this many ticks. */
const SLOW_TICKS = 10
/**
 * A tick later than this follows a stall of the process, in milliseconds. The stall does not count as time of a
 * statement.
 */
const STALL_MS = 100
/** Time for the server to end a statement after its timeout, or to close its end of a connection, in milliseconds. */
export const GRACE_MS = 1_000

export interface WatchOptions {
  /** The open connections. */
  readonly connections: Iterable<Connection>
  /** Time limit of a statement, in milliseconds. */
  readonly statementTimeoutMs: number
  /** Called when a statement outside a transaction is slow. */
  readonly onSlow: () => void
}

/**
 * Counts the ticks of statements, and ends a statement that exceeds its timeout: behind a pooler with a cancel request,
 * and without a response by closing the connection. On a direct connection the server has the same timeout.
 *
 * @returns a function to call when a statement has been sent. The ticks stop when no statement is in flight.
 */
export function watchStatements({ connections, statementTimeoutMs, onSlow }: WatchOptions): () => void {
  let isTicking = false
  let tickedAt = 0

  function startTicking(): void {
    if (isTicking) return
    isTicking = true
    tickedAt = performance.now()
    setTimeout(tick, TICK_MS).unref()
  }

  function tick(): void {
    isTicking = false
    const now = performance.now()
    const stalledMs = Math.max(0, now - tickedAt - STALL_MS)
    for (const connection of connections) {
      if (connection.inFlight === 0) continue
      startTicking()
      connection.since += stalledMs
      connection.ticks++
      connection.allTicks++
      if (connection.ticks < SLOW_TICKS) continue
      if (connection.ticks === SLOW_TICKS && !connection.isReserved) onSlow()
      const overdueMs = now - connection.since - statementTimeoutMs
      // The server has its own timeout for a transaction. A late cancellation could end the next statement.
      const cancelMs = connection.isReserved ? GRACE_MS / 2 : 0
      if (overdueMs >= GRACE_MS) connection.destroy(new Error('Query read timeout'))
      else if (overdueMs >= cancelMs && !connection.isDirect) connection.cancel()
    }
  }

  return startTicking
}
