import type { Request } from 'express'

/**
 * Returns true for a request that changes no data, and for a request that a page of this service or of `origins` sent,
 * according to the browser. A request without these headers is rejected: current browsers send them, and other clients
 * can send a bearer token instead of a cookie.
 * https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function isOwnSite({ method, headers, protocol, host }: Request, origins: readonly string[]): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return true
  const { origin, 'sec-fetch-site': site } = headers
  if (site === 'same-origin') return true
  if (origin === undefined) return false
  return origins.includes(origin) || (site === undefined && origin === `${protocol}://${host}`)
}
