import type { IRouter, RequestHandler } from 'express'

export type Methods = Partial<Record<'get' | 'post' | 'put' | 'patch' | 'delete', RequestHandler>>

export interface RouteOptions {
  /** Whether the path is there at all, asked for at each request. @default always */
  readonly when?: () => boolean
}

/** Registers a path with its methods. HEAD goes with GET, OPTIONS answers what is allowed, all else is a 405 with `Allow`. */
export function route(router: IRouter, path: string, methods: Methods, { when }: RouteOptions = {}): void {
  const registered = router.route(path)
  if (when) registered.all((_req, _res, next) => next(when() ? undefined : 'route'))
  const allowed = ['OPTIONS']
  for (const [method, handler] of Object.entries(methods) as [keyof Methods, RequestHandler][]) {
    registered[method](handler)
    allowed.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
  }
  const allow = allowed.sort().join(', ')
  registered.all(function otherMethod(req, res, next) {
    // A handler has passed it on.
    if (req.method !== 'OPTIONS' && allowed.includes(req.method)) return next()
    res.set('allow', allow)
    if (req.method !== 'OPTIONS') throw Object.assign(new Error('method not allowed'), { code: 'method_not_allowed' })
    res.status(204).end()
  })
}
