import { AsyncLocalStorage } from 'node:async_hooks'
import type { RequestHandler } from 'express'
import { requestId } from './request-id.ts'

export interface RequestContext {
  /** Gives each request an id, responds with it as `x-request-id`, and keeps it for all asynchronous work of the request. */
  readonly middleware: RequestHandler
  /** Returns the id of the current request, or undefined outside of a request. */
  requestId(): string | undefined
}

export function createRequestContext(): RequestContext {
  const storage = new AsyncLocalStorage<string>()
  return {
    middleware: function requestContext(req, res, next) {
      const id = requestId(req)
      req.id = id
      res.setHeader('x-request-id', id)
      storage.run(id, next)
    },
    requestId: () => storage.getStore(),
  }
}
