import type { RequestHandler } from 'express'

/**
 * Joins handlers into one handler for `app.use`. Express would match the path and copy the URL for each handler. A
 * handler that is undefined is left out. An error, thrown or rejected or passed to `next`, skips the rest.
 */
export function inOrder(handlers: readonly (RequestHandler | undefined)[]): RequestHandler {
  const steps = handlers.filter((handler) => handler !== undefined)
  return function inOrder(req, res, next) {
    let index = 0
    function step(error?: unknown): void {
      const handler = (error ?? undefined) === undefined ? steps[index++] : undefined
      if (handler === undefined) {
        next(error)
        return
      }
      try {
        const done: unknown = handler(req, res, step)
        if (done instanceof Promise) done.catch((reason: unknown) => next(reason || new Error('Rejected promise')))
      } catch (thrown) {
        next(thrown)
      }
    }
    step()
  }
}
