import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fillAcceptQueue } from './accept-queue.ts'

export interface HttpDrainOptions {
  readonly server: Server
  /** Set it to false when other processes accept connections from the listening socket. @default true */
  readonly ownsSocket?: boolean
  /** Interval of the search for idle connections after the end of accepting, in milliseconds. @default 50 */
  readonly sweepIntervalMs?: number
  /** Time in which a new connection counts as busy, because its first request may be on the way, in milliseconds. @default 500 */
  readonly firstRequestMs?: number
}

export interface HttpDrain {
  /**
   * Calls `handle` when the earlier responses of the connection are finished, so one connection has one request in
   * progress. Never calls it when an earlier response closes the connection: the client cannot learn the outcome and
   * must send the request again (RFC 9112 §9.6).
   */
  track(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void
  /** Returns the latest response of a connection. */
  responseOn(socket: Socket): ServerResponse | undefined
  /**
   * Closes up to `count` connections without a request in progress, the least recently used first. Spares the last one
   * that was used, because the first request of a new connection may be on the way. Returns how many it closed.
   */
  closeIdle(count: number): number
  /** Makes every later response close its connection, including the responses to requests in flight. */
  begin(): void
  /** Stops accepting, waits for the requests in flight, and cuts the rest when `signal` aborts. */
  close(signal: AbortSignal): Promise<void>
}

interface Connection {
  /** Seconds of `process.uptime()`: unlike `performance`, it loads no module during the start. */
  readonly acceptedAt: number
  /** Order of the last use: acceptance, or the start of a request. */
  lastUse: number
  response: ServerResponse | undefined
  /** Pipelined requests that wait for the responses before them. */
  waiting: number
}

/** Pipelined requests at which reading pauses. Node parses a chunk of 64 KiB at once, so more may wait. */
const PAUSE_AT = 16

/** Pipelined requests at which the connection is destroyed: each costs 4 kB, and no client sends as many. */
const MAX_WAITING = 64

/**
 * Pipelined requests of all connections at which reading pauses for one turn of the event loop. Sockets release their
 * requests at the end of a turn, so a turn must not read a chunk from each of a thousand connections.
 */
const MAX_WAITING_IN_ALL = 1_000

/**
 * Ends an HTTP server without losing a request that a client has sent.
 *
 * `http.Server.close()` is not safe: it destroys idle keep-alive connections on which a request may be arriving. It also
 * stops the timer that enforces `headersTimeout` and `requestTimeout`, so one slow client could keep the process running
 * forever.
 */
export function createHttpDrain(options: HttpDrainOptions): HttpDrain {
  const { server, ownsSocket = true, sweepIntervalMs = 50, firstRequestMs = 500 } = options
  const connections = new Map<Socket, Connection>()
  let draining = false
  let accepted = 0
  let uses = 0
  let holding = false
  let waitingInAll = 0
  let closing = false

  server.on('connection', (socket: Socket) => {
    accepted++
    connections.set(socket, { acceptedAt: process.uptime(), lastUse: ++uses, response: undefined, waiting: 0 })
    socket.once('close', () => {
      waitingInAll -= connections.get(socket)?.waiting ?? 0
      connections.delete(socket)
    })
    // Pause later: the HTTP server resumes a new socket after the callbacks of this turn.
    if (holding) void setImmediate().then(() => holding && socket.pause())
  })

  /**
   * Accepts the connections that wait in the kernel. The kernel resets them, with their requests, when accepting ends.
   * Each turn of the event loop accepts one connection, so this runs turns until a turn accepts none. Reading is paused
   * meanwhile: turns stay short, and clients that wait for a response open no further connections. The number of turns
   * is limited, because a flood of new clients may never end.
   */
  async function acceptWaiting(signal: AbortSignal): Promise<void> {
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
    for (const [socket, { waiting }] of connections) {
      if (still) socket.pause()
      else if (waiting < PAUSE_AT) socket.resume()
    }
  }

  function pauseForOneTurn(): void {
    if (holding) return
    hold(true)
    void setImmediate().then(() => {
      if (!closing) hold(false)
    })
  }

  /** Closes the idle connections. Node closes either all or none, so one recent connection delays the rest. */
  function expectsFirstRequest(): boolean {
    const since = process.uptime() - firstRequestMs / 1_000
    const isNew = ({ acceptedAt, response }: Connection) => response === undefined && acceptedAt > since
    return [...connections.values()].some(isNew)
  }

  return {
    track(request, response, handle) {
      const { socket } = request
      const connection = connections.get(socket)
      if (connection === undefined) return handle(request, response)
      const before = connection.response
      connection.response = response
      connection.lastUse = ++uses
      if (draining) response.shouldKeepAlive = false
      if (before === undefined || before.writableFinished) {
        if (socket.writable) handle(request, response)
        return
      }
      connection.waiting++
      if (++waitingInAll > MAX_WAITING_IN_ALL) pauseForOneTurn()
      if (connection.waiting > MAX_WAITING) return void socket.destroy()
      if (connection.waiting >= PAUSE_AT) socket.pause()
      before.once('close', () => {
        connection.waiting--
        waitingInAll--
        // The response before this one has closed the connection.
        if (!socket.writable) return
        if (connection.waiting < PAUSE_AT && !holding) socket.resume()
        handle(request, response)
      })
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
      closing = true
      await acceptWaiting(signal)
      const emptied = ownsSocket ? await fillAcceptQueue(server) : undefined
      const closed = new Promise<void>((resolve) => {
        // The base class only stops accepting. The timers of the HTTP server continue to run.
        NetServer.prototype.close.call(server, () => resolve())
      })
      emptied?.()
      closing = false
      hold(false)
      const cut = () => server.closeAllConnections()
      if (signal.aborted) cut()
      signal.addEventListener('abort', cut)
      const done = new AbortController()
      void closed.then(() => done.abort())
      while (!done.signal.aborted) {
        await setTimeout(sweepIntervalMs, undefined, { signal: done.signal }).catch(() => {})
        // Timers run before input is read, so a connection may look idle while its request waits to be read.
        await setImmediate()
        if (!expectsFirstRequest()) server.closeIdleConnections()
      }
      signal.removeEventListener('abort', cut)
    },
  }
}
