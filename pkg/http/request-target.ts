/**
 * The path and query of a request target, or undefined where there is none. Clients of a proxy send
 * the absolute form, which every server has to accept (RFC 9112 §3.2.2); its host and credentials are
 * of no interest here. What this cannot read, a router must not be left to guess at.
 */
export function requestTarget(target: string): string | undefined {
  if (target.startsWith('/') || target === '*') return target
  const url = URL.parse(target)
  return url !== null && /^https?:$/.test(url.protocol) ? url.pathname + url.search : undefined
}
