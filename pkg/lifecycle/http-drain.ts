import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fillAcceptQueue } from './accept-queue.ts'

export interface HttpDrainOptions {
  readonly server: Server
  /** Nobody else accepts connections from the listening socket, now or later. @default true */
  readonly ownsSocket?: boolean
  /** Pause between two looks for idle connections after the end of accepting, in milliseconds. @default 50 */
  readonly sweepIntervalMs?: number
  /** How long a new connection is spared, because its first request may be on the way, in milliseconds. @default 500 */
  readonly firstRequestMs?: number
}

export interface HttpDrain {
  /**
   * Must see each request before anything answers it. False for one that must not be handled: it came
   * behind another one on a connection that closes with that one's answer, so nobody would learn
   * what became of it, and its sender has to send it again (RFC 9112 §9.6).
   */
  track(request: IncomingMessage, response: ServerResponse): boolean
  /** The answer under way on a connection, or the last one. */
  responseOn(socket: Socket): ServerResponse | undefined
  /**
   * Closes up to `count` connections without a request in progress, the least recently used first. Spares the last one
   * that was used, because the first request of a new connection may be on the way. Returns how many it closed.
   */
  closeIdle(count: number): number
  /** From now on every answer closes its connection, those to requests already in flight too. */
  begin(): void
  /** Stops accepting, waits for what is in flight, and cuts the rest when `signal` aborts. */
  close(signal: AbortSignal): Promise<void>
}

interface Connection {
  /** In seconds of the process, a clock that a start need not load anything for, unlike `performance`. */
  readonly acceptedAt: number
  /** Order of the last use: acceptance, or the start of a request. */
  lastUse: number
  response: ServerResponse | undefined
}

/**
 * Ends an HTTP server without losing a request that a client has sent.
 *
 * `http.Server.close()` is not enough for that, nor safe: it destroys idle keep-alive connections
 * on which a request may be arriving, and it stops the timer that enforces `headersTimeout` and
 * `requestTimeout`, so one slow client could hold the process for ever.
 */
export function createHttpDrain(options: HttpDrainOptions): HttpDrain {
  const { server, ownsSocket = true, sweepIntervalMs = 50, firstRequestMs = 500 } = options
  const connections = new Map<Socket, Connection>()
  let draining = false
  let accepted = 0
  let uses = 0
  let holding = false

  server.on('connection', (socket: Socket) => {
    accepted++
    connections.set(socket, { acceptedAt: process.uptime(), lastUse: ++uses, response: undefined })
    socket.once('close', () => connections.delete(socket))
    // Not at once: the HTTP server resumes a new socket once more, after this turn's callbacks.
    if (holding) void setImmediate().then(() => holding && socket.pause())
  })

  /**
   * Connections that wait in the kernel when accepting ends are reset, with the requests on them.
   * Each turn of the event loop accepts one, so it takes turns until one brings none. Meanwhile
   * nothing is read: requests wait where they are, so that a turn takes no time in which others
   * arrive, and clients that wait for an answer do not come back for more. Under a flood of new
   * clients it may be never, hence the limit.
   */
  async function takeIn(signal: AbortSignal): Promise<void> {
    hold(true)
    const end = process.uptime() + 1
    for (let before = -1; before !== accepted && !signal.aborted && process.uptime() < end; ) {
      before = accepted
      await setImmediate()
      await setImmediate()
    }
  }

  function hold(still: boolean): void {
    holding = still
    for (const socket of connections.keys()) {
      if (still) socket.pause()
      else socket.resume()
    }
  }

  /** Node closes idle connections all or none, so one that is spared keeps the others for as long. */
  function expectsFirstRequest(): boolean {
    const since = process.uptime() - firstRequestMs / 1_000
    const isNew = ({ acceptedAt, response }: Connection) => response === undefined && acceptedAt > since
    return [...connections.values()].some(isNew)
  }

  return {
    track(request, response) {
      const connection = connections.get(request.socket)
      const before = connection?.response
      if (before !== undefined && !before.shouldKeepAlive && !before.writableFinished) return false
      if (connection !== undefined) {
        connection.response = response
        connection.lastUse = ++uses
      }
      if (draining) response.shouldKeepAlive = false
      return true
    },
    responseOn: (socket) => connections.get(socket)?.response,
    closeIdle(count) {
      const idle = [...connections].filter(
        ([, { response, lastUse }]) => lastUse !== uses && (response === undefined || response.writableFinished),
      )
      const closed = idle.sort(([, a], [, b]) => a.lastUse - b.lastUse).slice(0, count)
      for (const [socket] of closed) socket.destroy()
      return closed.length
    },
    begin() {
      draining = true
      for (const { response } of connections.values()) {
        if (response !== undefined && !response.headersSent) response.shouldKeepAlive = false
      }
    },
    async close(signal) {
      if (!server.listening) return
      await takeIn(signal)
      const emptied = ownsSocket ? await fillAcceptQueue(server) : undefined
      const closed = new Promise<void>((resolve) => {
        // The base class only stops accepting; the timers of the HTTP server go on.
        NetServer.prototype.close.call(server, () => resolve())
      })
      emptied?.()
      hold(false)
      const cut = () => server.closeAllConnections()
      if (signal.aborted) cut()
      signal.addEventListener('abort', cut)
      const done = new AbortController()
      void closed.then(() => done.abort())
      while (!done.signal.aborted) {
        await setTimeout(sweepIntervalMs, undefined, { signal: done.signal }).catch(() => {})
        // Timers come before input: a connection whose request waits there is not idle.
        await setImmediate()
        if (!expectsFirstRequest()) server.closeIdleConnections()
      }
      signal.removeEventListener('abort', cut)
    },
  }
}
