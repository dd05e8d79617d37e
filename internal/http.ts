import express, { type Express, type IRoute, type RequestHandler } from 'express'
import { inOrder } from '#pkg/fast-path/in-order.ts'
import { sendJsonAtOnce } from '#pkg/fast-path/json-response.ts'
import { adoptMessageClasses, type MessageClasses } from '#pkg/fast-path/messages.ts'
import { accessLog } from '#pkg/http/access-log.ts'
import { createBodyReader } from '#pkg/http/body.ts'
import { type CorsOptions, cors } from '#pkg/http/cors.ts'
import type { RequestContext } from '#pkg/http/request-context.ts'
import { createSecurityPolicy, securityHeaders } from '#pkg/http/security-headers.ts'
import type { Logger } from '#pkg/logging/index.ts'
import { type Route, type RouteOptions, registerRoute } from '#pkg/operation/index.ts'
import { notFound, problemHandler } from '#pkg/problem/index.ts'
import { PROBLEMS } from './problems.ts'
import type { Tracing } from './telemetry/tracing.ts'

export interface HttpDeps {
  readonly logger: Logger
  readonly context: RequestContext
  /** @default no request is recorded */
  readonly tracing?: Pick<Tracing, 'sample' | 'beginRequest' | 'bindRoute'> | undefined
  /** The classes of the server's messages. */
  readonly messages?: MessageClasses
  /** Number of proxies in front of the service, or their addresses. */
  readonly trustProxy: number | readonly string[]
  readonly bodyLimitBytes: number
  /** @default no other origin may read a response */
  readonly cors?: CorsOptions | undefined
  readonly rateLimit: RequestHandler
  /** Limits the time of the outgoing calls of a request. @default each call has only its own limit */
  readonly deadline?: RequestHandler | undefined
  /** Authenticates every operation that is not public. @default every operation is public */
  readonly guard?: RequestHandler | undefined
  readonly routes: readonly Route[]
  /** Called with Express's route of each path. */
  readonly onRoute?: RouteOptions['onRoute'] | undefined
}

/** Composes the steps of every request that is not a probe, in order. */
export function createHttp({ logger, context, routes, guard, tracing, onRoute, ...deps }: HttpDeps): Express {
  const app = express()
  // Express's own error pages show no stack in production.
  app.set('env', 'production')
  app.disable('x-powered-by')
  // Express would hash every response body, and our responses rarely repeat.
  app.disable('etag')
  app.enable('case sensitive routing')
  app.set('query parser', 'simple')
  app.set('trust proxy', deps.trustProxy)

  const policy = createSecurityPolicy()
  if (deps.messages) adoptMessageClasses(app, deps.messages)
  sendJsonAtOnce(app, [policy.headers, policy.tlsHeaders])

  app.use(
    inOrder([
      securityHeaders(policy),
      context.middleware({ sample: tracing?.sample, onRequest: tracing?.beginRequest }),
      accessLog(logger),
      deps.cors && cors(deps.cors),
      // The deadline comes before the rate limit: the caller may disconnect while the rate limit waits for Redis.
      deps.deadline,
      deps.rateLimit,
    ]),
  )
  const options = {
    prioritize: context.prioritize,
    readBody: createBodyReader(deps.bodyLimitBytes),
    guard,
    onRoute(route: IRoute) {
      onRoute?.(route)
      tracing?.bindRoute(route)
    },
  }
  for (const route of routes) registerRoute(app, route, options)
  app.use(notFound())
  app.use(problemHandler({ table: PROBLEMS }))
  return app
}
