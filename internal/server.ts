import { createServer, type RequestListener, type Server } from 'node:http'
import express from 'express'
import type { Logger } from '#pkg/logging/index.ts'
import {
  accessLog,
  type CorsOptions,
  type Counter,
  cors,
  jsonBody,
  type Messages,
  messagesFor,
  notFound,
  problemHandler,
  type RequestContext,
  rateLimit,
  securityHeaders,
} from '#pkg/web/index.ts'
import type { Access } from './access.ts'
import { type RoutesDeps, routes } from './routes.ts'

export interface HttpAppDeps extends Omit<RoutesDeps, 'access'> {
  /** Unset: what is under /v1 is open to everyone. */
  readonly access?: Access
  readonly logger: Logger
  readonly context: RequestContext
  readonly trustProxy: number | readonly string[]
  readonly bodyLimitBytes: number
  /** Unset: no page of another origin may read anything. */
  readonly cors?: CorsOptions
  /** Requests that one client may send in a minute, 0 for any number. */
  readonly rateLimitPerMinute: () => number
  readonly countRequest: Counter
}

export interface HttpApp {
  readonly app: express.Express
  /** What its server makes requests and answers of. */
  readonly messages: Messages
}

/** What happens to a request that is not a probe, in this order. */
export function createHttpApp({ logger, context, trustProxy, bodyLimitBytes, ...deps }: HttpAppDeps): HttpApp {
  const app = express()
  const messages = messagesFor(app)
  // Whatever Express itself may have to answer shows nothing from inside.
  app.set('env', 'production')
  app.disable('x-powered-by')
  // A hash of every body, to save bytes on answers that hardly ever repeat.
  app.disable('etag')
  app.set('query parser', 'simple')
  app.set('trust proxy', trustProxy)

  app.use(context.middleware)
  app.use(securityHeaders())
  app.use(accessLog({ logger }))
  if (deps.cors) app.use(cors(deps.cors))
  app.use(rateLimit({ perMinute: deps.rateLimitPerMinute, count: deps.countRequest }))
  if (deps.access) app.use('/v1', deps.access.authenticate)
  app.use(jsonBody({ maxBytes: bodyLimitBytes }))

  routes(app, deps)

  app.use(notFound())
  app.use(problemHandler({ table: deps.access?.errors ?? {} }))
  return { app, messages }
}

export interface HttpServerOptions {
  /** From the first byte of a request to the end of its headers, in milliseconds. */
  readonly headersTimeoutMs: number
  /** From the first byte of a request to the end of its body, in milliseconds. */
  readonly requestTimeoutMs: number
  /** How long an idle connection is kept, in milliseconds: longer than the proxy in front keeps it, so that the proxy closes first. */
  readonly keepAliveTimeoutMs: number
  /** How long a connection may be without a byte either way while a request is on it, in milliseconds: a client that does not read, a handler that does not answer. */
  readonly socketTimeoutMs: number
}

/** A server with every limit set. Node's own defaults look for slow clients every 30 s only. */
export function createHttpServer(options: HttpServerOptions, messages: Messages, listener: RequestListener): Server {
  const server = createServer(
    {
      ...messages,
      headersTimeout: options.headersTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      keepAliveTimeout: options.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, options.headersTimeoutMs / 4)),
      maxHeaderSize: 16 * 1024,
      noDelay: true,
    },
    listener,
  )
  server.setTimeout(options.socketTimeoutMs)
  return server
}
