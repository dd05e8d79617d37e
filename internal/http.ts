import express, { type Express, type RequestHandler } from 'express'
import {
  adoptMessageClasses,
  deferConstantHeaders,
  type MessageClasses,
  readJsonAtOnce,
  sendJsonAtOnce,
} from '#pkg/fast-path/index.ts'
import {
  accessLog,
  type CorsOptions,
  cors,
  createBodyReader,
  createSecurityPolicy,
  type RequestContext,
  securityHeaders,
} from '#pkg/http/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import { type Route, registerRoute } from '#pkg/operation/index.ts'
import { notFound, problemHandler } from '#pkg/problem/index.ts'
import { PROBLEMS } from './problems.ts'

export interface HttpDeps {
  readonly logger: Logger
  readonly context: Pick<RequestContext, 'middleware'>
  /** The classes that the server creates its messages of. */
  readonly messages?: MessageClasses
  /** Number of proxies in front of the service, or their addresses. */
  readonly trustProxy: number | readonly string[]
  readonly bodyLimitBytes: number
  /** @default no other origin may read a response */
  readonly cors?: CorsOptions
  readonly rateLimit: RequestHandler
  /** Authenticates every operation that is not public. @default every operation is public */
  readonly guard?: RequestHandler
  readonly routes: readonly Route[]
}

/** Lists what happens to a request that is not a probe, in order. */
export function createHttp({ logger, context, routes, guard, ...deps }: HttpDeps): Express {
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
  const readBody = createBodyReader({ maxBytes: deps.bodyLimitBytes })
  const json = readJsonAtOnce({ maxBytes: deps.bodyLimitBytes, otherwise: readBody({ type: 'json' }) })
  if (deps.messages) adoptMessageClasses(app, deps.messages)
  deferConstantHeaders(app, [policy.headers, policy.tlsHeaders])
  sendJsonAtOnce(app)

  app.use(securityHeaders(policy))
  app.use(context.middleware)
  app.use(accessLog({ logger }))
  if (deps.cors) app.use(cors(deps.cors))
  app.use(deps.rateLimit)
  for (const route of routes) {
    registerRoute(app, route, {
      ...(guard && { guard }),
      readBody: (body) => (body.type === 'json' ? json : readBody(body)),
    })
  }
  app.use(notFound())
  app.use(problemHandler({ table: PROBLEMS }))
  return app
}
