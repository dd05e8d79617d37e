import { AsyncLocalStorage } from 'node:async_hooks'
import type { RequestHandler } from 'express'
import { requestId } from './request-id.ts'

export interface RequestContext {
  /** Gives each request an id, answers it as `x-request-id`, and keeps it for everything that the request causes. */
  readonly middleware: RequestHandler
  /** The id of the request under way, or undefined outside of one. */
  requestId(): string | undefined
}

export function createRequestContext(): RequestContext {
  const storage = new AsyncLocalStorage<string>()
  return {
    middleware: function requestContext(req, res, next) {
      const id = requestId(req)
      req.id = id
      // It is sane, or ours.
      res.headerLines += `x-request-id: ${id}\r\n`
      storage.run(id, next)
    },
    requestId: () => storage.getStore(),
  }
}
