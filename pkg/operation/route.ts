import type { IRoute, IRouter, RequestHandler } from 'express'
import { CodedError } from '../problem/index.ts'
import type { BodyDescription, Operation, Priority } from './operation.ts'
import { validate } from './validate.ts'

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const
type Method = (typeof METHODS)[number]

/** A path in Express's syntax with its operations. */
export interface Route extends Readonly<Partial<Record<Method, Operation>>> {
  readonly path: string
  /** Returns false to make the path a 404. Called for each request. @default () => true */
  readonly when?: () => boolean
}

export interface RouteOptions {
  /** Rejects requests without valid credentials. Runs before the body is read. @default every operation is public */
  readonly guard?: RequestHandler | undefined
  /** Returns the middleware that records the priority of a request, for operations that have one. */
  readonly prioritize?: (priority: Priority) => RequestHandler
  /** Returns the middleware that reads a body into `req.body`. */
  readonly readBody: (body: BodyDescription) => RequestHandler
  /** Called with Express's route, which `req.route` of its requests returns. */
  readonly onRoute?: (route: IRoute) => void
}

/** Registers a path. HEAD follows GET, OPTIONS lists the methods, and any other method is a 405 with `allow`. */
export function registerRoute(router: IRouter, route: Route, options: RouteOptions): void {
  const { guard, prioritize, readBody, onRoute } = options
  const { path, when, ...operations } = route
  const registered = router.route(path)
  onRoute?.(registered)
  if (when) {
    registered.all((req, _res, next) => {
      if (when()) return next()
      // The path does not exist, so the request has no route.
      req.route = undefined
      next('route')
    })
  }
  const allowed = ['OPTIONS']
  for (const method of METHODS) {
    const operation = operations[method]
    if (operation === undefined) continue
    const { priority, body, handler } = operation
    const steps = [
      priority && prioritize?.(priority),
      operation.public ? undefined : guard,
      body && readBody(body),
      validate(operation),
      handler,
    ]
    registered[method](...steps.filter((step) => step !== undefined))
    allowed.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
  }
  const allow = allowed.sort().join(', ')
  registered.all(function otherMethod(req, res, next) {
    // The handler called next().
    if (req.method !== 'OPTIONS' && allowed.includes(req.method)) return next()
    res.set('allow', allow)
    if (req.method !== 'OPTIONS') throw new CodedError('method_not_allowed')
    res.status(204).end()
  })
}
