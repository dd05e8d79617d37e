import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { fillAcceptQueue, nextTurn } from './accept-queue.ts'

export interface HttpDrainOptions {
  readonly server: Server
  /** Set it to false when other processes accept connections from the listening socket. @default true */
  readonly ownsSocket?: boolean
  /** Interval of the search for idle connections after accepting has ended, in milliseconds. @default 50 */
  readonly searchIntervalMs?: number
}

interface Connection {
  /** In seconds of `process.uptime()`, which needs no module during the start. */
  readonly acceptedAt: number
  /** Order of the last use: acceptance, or the start of a request. */
  lastUse: number
  response: ServerResponse | undefined
  /** Pipelined requests that wait for the responses before them. */
  waiting: number
  /**
   * True when `pauseReading` resumes the socket. Node itself has paused the other sockets, because a body or a response
   * is not read: each resumption would add 64 KiB of the body to the memory.
   */
  resumes: boolean
}

/** Time during which a new connection counts as busy, in seconds: its first request may be on the way. */
const FIRST_REQUEST_S = 0.5

/**
 * Number of waiting pipelined requests of a connection at which reading pauses. Node parses a whole chunk of 64 KiB, so
 * more requests may wait.
 */
const PAUSE_AT = 16

/**
 * Number of waiting pipelined requests above which the connection is destroyed: each request costs 4 kB, and real
 * clients send fewer.
 */
const MAX_WAITING = 64

/**
 * Number of waiting pipelined requests of all connections above which reading pauses for one turn of the event loop,
 * because sockets release requests after a turn.
 */
const MAX_WAITING_IN_ALL = 1_000

/**
 * Ends an HTTP server without losing a request that a client has sent. `http.Server.close()` is not safe: it destroys
 * idle connections on which a request may be arriving, and stops the timer of `headersTimeout` and `requestTimeout`.
 */
export function createHttpDrain({ server, ownsSocket = true, searchIntervalMs = 50 }: HttpDrainOptions) {
  const connections = new Map<Socket, Connection>()
  let uses = 0
  let waitingInAll = 0
  let draining = false
  let readingPaused = false
  let closing = false

  server.on('connection', (socket: Socket) => {
    connections.set(socket, {
      acceptedAt: process.uptime(),
      lastUse: ++uses,
      response: undefined,
      waiting: 0,
      resumes: readingPaused,
    })
    socket.once('close', () => {
      waitingInAll -= connections.get(socket)?.waiting ?? 0
      connections.delete(socket)
    })
    // Pause the socket later, because the HTTP server resumes a new socket after the callbacks of this turn.
    if (readingPaused) void setImmediate().then(() => readingPaused && socket.pause())
  })

  function pauseReading(paused: boolean): void {
    readingPaused = paused
    for (const [socket, connection] of connections) {
      if (paused) {
        connection.resumes ||= !socket.isPaused()
        socket.pause()
      } else if (connection.resumes) {
        connection.resumes = false
        if (connection.waiting < PAUSE_AT) socket.resume()
      }
    }
  }

  function pauseForOneTurn(): void {
    if (readingPaused) return
    pauseReading(true)
    void setImmediate().then(() => closing || pauseReading(false))
  }

  /**
   * Accepts the connections that wait in the kernel: when accepting ends, the kernel resets waiting connections, with
   * their requests. Each turn of the event loop accepts one connection. Reading is paused meanwhile, so that turns stay
   * short and clients that wait for a response open no further connections. A flood of new clients may never end, so
   * the attempt is limited to a second.
   */
  async function acceptWaiting(signal: AbortSignal): Promise<void> {
    pauseReading(true)
    const end = process.uptime() + 1
    for (let before = -1; before !== uses && !signal.aborted && process.uptime() < end; ) {
      before = uses
      await nextTurn()
    }
  }

  function expectsFirstRequest(): boolean {
    const since = process.uptime() - FIRST_REQUEST_S
    return [...connections.values()].some(({ acceptedAt, response }) => response === undefined && acceptedAt > since)
  }

  /**
   * Node counts a connection as idle when its response has ended, although the client may still be reading it. With
   * requests that wait, `response` is a later one.
   */
  function isWriting(): boolean {
    return [...connections.values()].some(
      ({ response, waiting }) => waiting > 0 || (response?.writableEnded && !response.writableFinished),
    )
  }

  return {
    /**
     * Calls `handle` when the earlier responses of the connection are finished, so one connection has one request in
     * progress. Never calls it when an earlier response closes the connection: the client cannot learn the outcome and
     * must send the request again (RFC 9112 §9.6).
     */
    track(request: IncomingMessage, response: ServerResponse, handle: RequestListener): void {
      const { socket } = request
      const connection = connections.get(socket)
      if (connection === undefined) return void handle(request, response)
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
        // The `close` event of the socket has already subtracted the waiting requests.
        if (!connections.has(socket)) return
        connection.waiting--
        waitingInAll--
        // The previous response has closed the connection.
        if (!socket.writable) return
        if (connection.waiting === PAUSE_AT - 1) {
          if (readingPaused) connection.resumes = true
          else socket.resume()
        }
        handle(request, response)
      })
    },
    /** Returns the latest response of a connection. */
    responseOn: (socket: Socket) => connections.get(socket)?.response,
    /**
     * Closes up to `count` connections without a request in progress, the least recently used first. Spares the most
     * recently used connection, because the first request of a new connection may be on the way. Returns the number of
     * closed connections.
     */
    closeIdle(count: number): number {
      const idle = [...connections].filter(
        ([, { response, lastUse }]) => lastUse !== uses && (response === undefined || response.writableFinished),
      )
      const closed = idle.sort(([, a], [, b]) => a.lastUse - b.lastUse).slice(0, count)
      for (const [socket] of closed) socket.destroy()
      return closed.length
    },
    /** Makes every later response close its connection, including the responses to requests in flight. */
    begin(): void {
      draining = true
      for (const { response } of connections.values()) {
        if (response !== undefined && !response.headersSent) response.shouldKeepAlive = false
      }
    },
    /** Stops accepting, waits for the requests in flight, and cuts the rest when `signal` aborts. */
    async close(signal: AbortSignal): Promise<void> {
      if (!server.listening) return
      closing = true
      await acceptWaiting(signal)
      const freeQueue = ownsSocket ? await fillAcceptQueue(server) : undefined
      const closed = new AbortController()
      // The base class only stops accepting. The timers of the HTTP server continue to run.
      NetServer.prototype.close.call(server, () => closed.abort())
      freeQueue?.()
      closing = false
      pauseReading(false)
      const cut = () => server.closeAllConnections()
      if (signal.aborted) cut()
      signal.addEventListener('abort', cut)
      while (!closed.signal.aborted) {
        await setTimeout(searchIntervalMs, undefined, { signal: closed.signal }).catch(() => {})
        // Timers run before input is read, so a connection may look idle while its request waits to be read.
        await setImmediate()
        // Node closes all idle connections or none, so one connection that is still writing delays the others.
        if (!expectsFirstRequest() && !isWriting()) server.closeIdleConnections()
      }
    },
  }
}
