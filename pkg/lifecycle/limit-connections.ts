import { readFileSync } from 'node:fs'
import type { Server, Socket } from 'node:net'

export interface ConnectionLimitOptions {
  readonly server: Server
  /**
   * Closes up to `count` idle connections and returns the number of closed connections. Register its own listener for
   * new connections before this limiter.
   */
  readonly closeIdle: (count: number) => number
  /** File descriptors for the log, stores, health checks and Node itself. */
  readonly reservedFiles: number
  /** File descriptors that this process may open. @default the limit of the process, Infinity when it is unknown */
  readonly openFiles?: number | undefined
  /** Called when the limit is reached, and when fewer connections than nine tenths of the limit remain. */
  readonly onEvent: (event: ConnectionLimitEvent) => void
}

export type ConnectionLimitEvent =
  | { readonly type: 'connection limit reached'; readonly limit: number }
  /**
   * `closed` is the number of idle connections that the limiter closed for new connections. `refused` is the number of
   * refused new connections.
   */
  | { readonly type: 'connection limit left'; readonly closed: number; readonly refused: number }

/** Number of new connections to accept while idle connections are being closed. */
const HEADROOM = 16

/**
 * Keeps the connections of a server below the limit of open files. When the limit is near, a new connection replaces an
 * idle connection, so that probes and clients can still connect. When no connection is idle, new connections are closed
 * immediately.
 */
export function limitConnections(options: ConnectionLimitOptions): void {
  const { server, closeIdle, reservedFiles, openFiles = readOpenFileLimit(), onEvent } = options
  if (openFiles === Number.POSITIVE_INFINITY) return
  const max = Math.max(openFiles - reservedFiles, Math.floor(openFiles / 2))
  const limit = Math.max(max - HEADROOM, 1)
  /** The search for idle connections is linear in their number, so it closes several connections at a time. */
  const batch = Math.ceil(limit / 100)
  let connections = 0
  let episode: { closed: number; refused: number } | undefined

  function startEpisode() {
    if (episode === undefined) onEvent({ type: 'connection limit reached', limit })
    episode ??= { closed: 0, refused: 0 }
    return episode
  }

  server.maxConnections = max
  server.on('connection', (socket: Socket) => {
    if (++connections > limit) startEpisode().closed += closeIdle(batch)
    socket.once('close', () => {
      if (--connections >= 0.9 * limit || episode === undefined) return
      onEvent({ type: 'connection limit left', ...episode })
      episode = undefined
    })
  })
  server.on('drop', () => {
    startEpisode().refused++
  })
}

/** Returns the soft limit of open files, which Node has raised to the hard limit. Only Linux publishes it in a file. */
function readOpenFileLimit(): number {
  try {
    const [, soft = 'Infinity'] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return Number(soft)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
