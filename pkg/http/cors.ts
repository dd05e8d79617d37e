import type { RequestHandler } from 'express'

export interface CorsOptions {
  /** Allowed origins in the format of the `Origin` header: scheme, host and a non-default port. `*` allows all origins. */
  readonly origins: readonly string[]
  /** Allows pages of these origins to send cookies. Ignored when `origins` contains `*`. @default false */
  readonly credentials?: boolean
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'

/** How long a browser caches a preflight response, in seconds: the maximum of Chrome. */
const MAX_AGE_S = 7_200

/** Headers that a page may read in addition to https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name */
const EXPOSED = [
  ...['etag', 'link', 'location', 'ratelimit', 'ratelimit-policy', 'retry-after', 'www-authenticate'],
  'x-request-id',
].join(', ')

/**
 * Lets pages of the allowed origins read responses, including errors, and responds to their preflight requests. A
 * response to another origin has no CORS headers, so the browser withholds it from the page.
 */
export function cors({ origins, credentials = false }: CorsOptions): RequestHandler {
  const isPublic = origins.includes('*')
  const allowed = new Set(origins)
  return function cors(req, res, next) {
    const { origin } = req.headers
    // Otherwise a cache would serve a response for one origin to another origin.
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
    res.set({ 'access-control-allow-methods': METHODS, 'access-control-max-age': String(MAX_AGE_S) })
    res.status(204).end()
  }
}
