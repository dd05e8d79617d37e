/** A name, an IPv4 address or an IPv6 address, with an optional port (RFC 3986 §3.2.2). */
const HOST = /^(?:[a-z0-9._~%!$&'()*+,;=-]*|\[[0-9a-f:.]+\])(?::\d{0,5})?$/i

/**
 * Returns whether a request has exactly one valid host header, which HTTP/1.1 requires (RFC 9112 §3.2). Of two headers,
 * Node keeps the first, and a proxy may keep the second.
 */
export function hasValidHost(rawHeaders: readonly string[], httpVersion: string): boolean {
  let host: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length !== 4 || name.toLowerCase() !== 'host') continue
    if (host !== undefined) return false
    host = rawHeaders[index + 1] ?? ''
  }
  return host === undefined ? httpVersion === '1.0' : HOST.test(host)
}
