import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { createMessageClasses } from '#pkg/fast-path/messages.ts'
import { answerClientErrors, type ClientErrorOptions } from '#pkg/http/client-errors.ts'
import { hasValidHost } from '#pkg/http/request-host.ts'
import { requestId } from '#pkg/http/request-id.ts'
import { requestTarget } from '#pkg/http/request-target.ts'
import {
  type ConnectionLimitOptions,
  createHttpDrain,
  type ListenOptions,
  limitConnections,
  listen,
} from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import { HTTP_PROBLEMS, sendProblem } from '#pkg/problem/index.ts'
import { logAcceptError, logConnectionLimit, logListening } from './telemetry/log-events.ts'

/** The timeouts of .env.example. */
export interface Timeouts {
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly socketTimeoutMs: number
}

export interface ServerOptions extends Timeouts {
  readonly ownsSocket: boolean
  /** Responds to a probe and returns true; returns false for any other request. */
  readonly probe: (request: IncomingMessage, response: ServerResponse) => boolean
  readonly onClientError?: ClientErrorOptions['onEvent']
}

export type HttpServer = ReturnType<typeof createServer>

/** Creates a server with every limit set. Probes respond before the handler is set and before waiting requests. */
export function createServer({ probe, ownsSocket, onClientError, ...options }: ServerOptions) {
  const loaded = Promise.withResolvers<RequestListener>()
  let handler: RequestListener = (request, response) => {
    void loaded.promise.then((handler) => handler(request, response))
  }
  let enqueue: RequestListener = (request, response) => {
    // Probes that arrive in the same turn of the event loop respond before this handler runs.
    setImmediate(() => handler(request, response))
  }
  const messages = createMessageClasses()
  const server = createHttpServer(
    {
      ...messages,
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      keepAliveTimeout: options.keepAliveTimeoutMs,
      // Node's default looks for slow clients every 30 s.
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, options.headersTimeoutMs / 4)),
      maxHeaderSize: 16 * 1024,
      noDelay: true,
      // hasValidHost() rejects with a problem document.
      requireHostHeader: false,
    },
    (request, response) => drain.track(request, response, dispatch),
  )
  const drain = createHttpDrain({ server, ownsSocket })

  /** Rejects and reports a request that reaches no handler, because it has no line in the access log. */
  function reject(
    request: IncomingMessage,
    response: ServerResponse,
    problem: keyof typeof HTTP_PROBLEMS,
    code: string,
  ) {
    const id = requestId(request)
    sendProblem(response, problem, { requestId: id })
    const { remoteAddress: clientAddress } = request.socket
    onClientError?.({ code, status: HTTP_PROBLEMS[problem].status, requestId: id, clientAddress })
  }

  function dispatch(request: IncomingMessage, response: ServerResponse): void {
    const target = requestTarget(request.url ?? '')
    if (target === undefined) return void reject(request, response, 'bad_request', 'INVALID_TARGET')
    if (!hasValidHost(request.rawHeaders, request.httpVersion)) {
      return void reject(request, response, 'bad_request', 'INVALID_HOST')
    }
    request.url = target
    if (probe(request, response)) return
    enqueue(request, response)
  }

  server.on('checkExpectation', (request, response) => {
    drain.track(request, response, () => reject(request, response, 'expectation_failed', 'INVALID_EXPECTATION'))
  })
  server.setTimeout(options.socketTimeoutMs)
  answerClientErrors({ server, responseOn: drain.responseOn, onEvent: onClientError })

  return {
    server,
    drain,
    messages,
    /**
     * Sets the handler of the requests that are not probes. Earlier requests wait for it. `admit` replaces the queue in
     * front of the handler, and gets each request in the turn of the event loop that reads it.
     */
    handle(next: RequestListener, admit = enqueue): void {
      handler = next
      enqueue = admit
      loaded.resolve(next)
    },
    /** Closes the server. After a failed start, refuses the requests that still wait for the handler. */
    async abandon(signal: AbortSignal): Promise<void> {
      loaded.resolve((request, response) => sendProblem(response, 'overloaded', { requestId: requestId(request) }))
      await drain.close(signal)
    },
  }
}

export interface ListenerDeps extends ServerOptions, Pick<ConnectionLimitOptions, 'reservedFiles' | 'openFiles'> {
  /** Name of the listener in log lines. */
  readonly name: string
  readonly logger: Logger
}

/** Creates a server that limits its connections, and logs its address and its failures. */
export function createListener({ name, logger, reservedFiles, openFiles, ...options }: ListenerDeps) {
  const http = createServer(options)
  const { server, drain } = http
  const onEvent = logConnectionLimit(logger, name)
  limitConnections({ server, closeIdle: drain.closeIdle, reservedFiles, openFiles, onEvent })
  return {
    ...http,
    /** @param message the message of the log line with the address */
    async listen(address: Omit<ListenOptions, 'server'>, message = 'listening'): Promise<void> {
      await listen({ server, ...address })
      server.on('error', logAcceptError(logger, name))
      logListening(logger, message, server.address())
    },
  }
}
