import type { IRouter, RequestHandler } from 'express'

export type Methods = Partial<Record<'get' | 'post' | 'put' | 'patch' | 'delete', RequestHandler>>

/** Registers a path with its methods. HEAD goes with GET, OPTIONS answers what is allowed, all else is a 405 with `Allow`. */
export function route(router: IRouter, path: string, methods: Methods): void {
  const registered = router.route(path)
  const allowed = ['OPTIONS']
  for (const [method, handler] of Object.entries(methods) as [keyof Methods, RequestHandler][]) {
    registered[method](handler)
    allowed.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
  }
  const allow = allowed.sort().join(', ')
  registered.all(function otherMethod(req, res) {
    res.set('allow', allow)
    if (req.method !== 'OPTIONS') throw Object.assign(new Error('method not allowed'), { code: 'method_not_allowed' })
    res.status(204).end()
  })
}
