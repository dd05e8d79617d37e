import type { ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'

/** For answers that are data: nothing in them may be run, framed, embedded or sniffed. */
export const DATA_POLICY: HelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
  },
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
}

/** Helmet's headers. They do not depend on the request, so it is asked once. @default DATA_POLICY */
export function securityHeaders(policy: HelmetOptions = DATA_POLICY): RequestHandler {
  const fields: string[] = []
  const recorder = {
    setHeader: (name: string, value: string) => fields.push(`${name}: ${value}\r\n`),
    removeHeader() {},
  }
  helmet(policy)({} as never, recorder as never, () => {})
  const rendered = fields.join('')
  return function securityHeaders(_req, res: ServerResponse, next) {
    res.headerLines += rendered
    next()
  }
}
