import type { Request } from 'express'

/**
 * Whether a request changes nothing, or its browser says that a page of this service or of `origins` has sent it. What
 * says nothing is no browser of these years, and has a bearer token to send instead of a cookie:
 * https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function isOwnSite({ method, headers, protocol, host }: Request, origins: readonly string[]): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return true
  const { origin, 'sec-fetch-site': site } = headers
  if (site === 'same-origin') return true
  if (origin === undefined) return false
  return origins.includes(origin) || (site === undefined && origin === `${protocol}://${host}`)
}
