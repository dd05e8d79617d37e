import type { RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'

const NOTHING = { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] }

/** The headers of one policy. They never change, so helmet computes them once. */
export interface SecurityPolicy {
  readonly headers: ReadonlyMap<string, string>
  /** The headers with strict-transport-security. Browsers ignore it on plain connections (RFC 6797 §7.2). */
  readonly tlsHeaders: ReadonlyMap<string, string>
}

/**
 * Creates the policy of a page, which loads only `sources`, such as `{ scriptSrc: ["'self'"] }`. The default, without
 * sources, is for data: a browser must not run, frame, embed or sniff it.
 */
export function createSecurityPolicy(sources: Readonly<Record<string, readonly string[]>> = {}): SecurityPolicy {
  const directives = { ...NOTHING, ...(sources as Record<string, string[]>) }
  const recordHeaders = (strictTransportSecurity: boolean) =>
    record({
      contentSecurityPolicy: { useDefaults: false, directives },
      referrerPolicy: { policy: 'no-referrer' },
      xFrameOptions: { action: 'deny' },
      strictTransportSecurity,
    })
  return { headers: recordHeaders(false), tlsHeaders: recordHeaders(true) }
}

function record(options: HelmetOptions): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  const recorder = {
    setHeader: (name: string, value: string) => void headers.set(name, value),
    removeHeader() {},
  }
  helmet(options)({} as never, recorder as never, () => {})
  return headers
}

/** The properties of a response that the headers require. */
export interface SecuredResponse {
  readonly req: { readonly secure: boolean }
  setHeaders(headers: Map<string, string>): unknown
}

/** Sets the headers of a policy. A page calls it to replace the policy for data. */
export function setSecurityHeaders(res: SecuredResponse, { headers, tlsHeaders }: SecurityPolicy): void {
  res.setHeaders((res.req.secure ? tlsHeaders : headers) as Map<string, string>)
}

/** Sets the headers of the policy for data on every response. */
export function securityHeaders(policy = createSecurityPolicy()): RequestHandler {
  return function securityHeaders(_req, res, next) {
    setSecurityHeaders(res, policy)
    next()
  }
}
