import type { ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'

const NOTHING = { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] }

export type SecurityPolicy = ReturnType<typeof createSecurityPolicy>

/**
 * Creates the policy of a page that loads only `sources`, such as `{ scriptSrc: ["'self'"] }`. Without sources, the
 * policy is for data: a browser must not run, frame, embed or sniff it. helmet renders the headers once.
 */
export function createSecurityPolicy(sources: Readonly<Record<string, readonly string[]>> = {}) {
  const directives = { ...NOTHING, ...(sources as Record<string, string[]>) }
  const renderHeaders = (strictTransportSecurity: boolean) =>
    recordHeaders({
      contentSecurityPolicy: { useDefaults: false, directives },
      referrerPolicy: { policy: 'no-referrer' },
      xFrameOptions: { action: 'deny' },
      strictTransportSecurity,
    })
  // Browsers ignore strict-transport-security on plain connections (RFC 6797 §7.2).
  return { headers: renderHeaders(false), tlsHeaders: renderHeaders(true) }
}

function recordHeaders(options: HelmetOptions): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  const response = { setHeader: headers.set.bind(headers), removeHeader() {} }
  helmet(options)({} as never, response as never, () => {})
  return headers
}

/** Sets the headers of a policy. A page calls it to replace the policy for data. */
export function setSecurityHeaders(
  res: Pick<ServerResponse, 'setHeaders'> & { readonly req: { readonly secure: boolean } },
  { headers, tlsHeaders }: SecurityPolicy,
): void {
  res.setHeaders((res.req.secure ? tlsHeaders : headers) as Map<string, string>)
}

/** Sets the headers of a policy on every response. */
export function securityHeaders(policy: SecurityPolicy): RequestHandler {
  return function securityHeaders(_req, res, next) {
    setSecurityHeaders(res, policy)
    next()
  }
}
