import type { IRouter } from 'express'
import type { Operation } from './operation.ts'
import { failure } from './problem.ts'
import { validate } from './validate.ts'

export const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const
export type Method = (typeof METHODS)[number]

/** A path as Express writes it, with its operations by method. */
export interface Route extends Readonly<Partial<Record<Method, Operation>>> {
  readonly path: string
  /** Whether the path is there at all, asked for at each request. @default always */
  readonly when?: () => boolean
}

/** Registers a path with its methods. HEAD goes with GET, OPTIONS answers what is allowed, all else is a 405 with `Allow`. */
export function route(router: IRouter, { path, when, ...operations }: Route): void {
  const registered = router.route(path)
  if (when) registered.all((_req, _res, next) => next(when() ? undefined : 'route'))
  const allowed = ['OPTIONS']
  for (const method of METHODS) {
    const operation = operations[method]
    if (operation === undefined) continue
    const check = validate(operation)
    registered[method](...(check ? [check] : []), operation.handler)
    allowed.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
  }
  const allow = allowed.sort().join(', ')
  registered.all(function otherMethod(req, res, next) {
    // A handler has passed it on.
    if (req.method !== 'OPTIONS' && allowed.includes(req.method)) return next()
    res.set('allow', allow)
    if (req.method !== 'OPTIONS') throw failure('method_not_allowed')
    res.status(204).end()
  })
}
