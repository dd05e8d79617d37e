import type { RequestHandler } from 'express'

export interface CorsOptions {
  /** As browsers send them: scheme, host and a port that is not the scheme's own. `*` is any. */
  readonly origins: readonly string[]
  /** Whether pages there may send cookies, which none may when any may ask. @default false */
  readonly credentials?: boolean
  /** How long a browser remembers what it may ask, in seconds. @default 7_200, the most that Chrome accepts */
  readonly maxAgeS?: number
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/** What a page may read besides the few fields that every page may: https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name */
const EXPOSED = [
  ...['etag', 'link', 'location', 'ratelimit', 'ratelimit-policy', 'retry-after', 'www-authenticate'],
  'x-request-id',
].join(', ')

/**
 * Lets pages of other origins read what is answered, errors too, and answers their preflights. A page of any other
 * origin finds no field that concerns it, and its browser keeps the answer from it.
 */
export function cors({ origins, credentials = false, maxAgeS = 7_200 }: CorsOptions): RequestHandler {
  const isPublic = origins.includes('*')
  const allowed = new Set(origins)
  return function cors(req, res, next) {
    const { origin } = req.headers
    // Without it a cache would give one origin's answer to another, or a page what nobody's page was answered.
    res.vary('origin')
    if (origin === undefined || !(isPublic || allowed.has(origin))) return next()
    res.set('access-control-allow-origin', isPublic ? '*' : origin)
    if (credentials && !isPublic) res.set('access-control-allow-credentials', 'true')
    const isPreflight = req.method === 'OPTIONS' && req.headers['access-control-request-method'] !== undefined
    if (!isPreflight) {
      res.set('access-control-expose-headers', EXPOSED)
      return next()
    }
    res.vary('access-control-request-headers')
    const asked = req.headers['access-control-request-headers']
    if (asked !== undefined) res.set('access-control-allow-headers', asked)
    res.set({ 'access-control-allow-methods': METHODS, 'access-control-max-age': String(maxAgeS) })
    res.status(204).end()
  }
}
