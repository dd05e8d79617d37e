import { createHttp } from '#internal/http.ts'
import { createServer } from '#internal/server.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Route } from '#pkg/operation/index.ts'
import { listen } from '../../support/listen.ts'

export interface ServeOptions {
  readonly routes: readonly Route[]
  readonly logger: Logger
  /** @default a new context */
  readonly context?: ReturnType<typeof createRequestContext>
  /** Returns the queue in front of the app. @default the queue of the server */
  readonly admit?: (app: ReturnType<typeof createHttp>) => Parameters<ReturnType<typeof createServer>['handle']>[1]
}

/** Serves routes with the server and the Express app of this service on a free port. */
export async function serve({ routes, logger, context = createRequestContext(), admit }: ServeOptions) {
  const { server, messages, handle } = createServer({
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 15_000,
    keepAliveTimeoutMs: 75_000,
    socketTimeoutMs: 120_000,
    ownsSocket: true,
    probe(request, response) {
      if (request.url !== '/health/live') return false
      response.end('{"status":"ok"}')
      return true
    },
  })
  const app = createHttp({
    logger,
    context,
    messages,
    trustProxy: 1,
    bodyLimitBytes: 1024,
    rateLimit: (_req, _res, next) => next(),
    routes,
  })
  handle(app, admit?.(app))
  return listen(server)
}
