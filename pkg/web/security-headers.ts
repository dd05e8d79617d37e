import type { ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import helmet, { type HelmetOptions } from 'helmet'

const NOTHING = { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] }

/** For answers that are data: nothing in them may be run, framed, embedded or sniffed. */
export const DATA_POLICY: HelmetOptions = pagePolicy({})

/** For a page: the same, but for what it says that it loads (`{ scriptSrc: ["'self'"] }`). */
export function pagePolicy(sources: Readonly<Record<string, readonly string[]>>): HelmetOptions {
  return {
    contentSecurityPolicy: { useDefaults: false, directives: { ...NOTHING, ...(sources as Record<string, string[]>) } },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  }
}

/** Helmet's header fields, names and values in turn. They do not depend on the request, so it is asked once. */
export function securityFields(policy: HelmetOptions): string[] {
  const fields: string[] = []
  const recorder = { setHeader: (name: string, value: string) => fields.push(name, value), removeHeader() {} }
  helmet(policy)({} as never, recorder as never, () => {})
  return fields
}

const linesOf = (policy: HelmetOptions) =>
  securityFields(policy)
    .map((text, index) => text + (index % 2 === 0 ? ': ' : '\r\n'))
    .join('')

/** Every answer's, until a page asks for its own. */
export function securityHeaders(): RequestHandler {
  const lines = linesOf(DATA_POLICY)
  return function securityHeaders(_req, res: ServerResponse, next) {
    res.headerLines += lines
    next()
  }
}

/** Puts a page's policy in the place of the one for data. Two at once would allow what both allow: nothing. */
export function pageHeaders(policy: HelmetOptions): (res: ServerResponse) => void {
  const [data = '', page = ''] = [DATA_POLICY, policy].map(linesOf)
  return function pageHeaders(res) {
    res.headerLines = res.headerLines.replace(data, page)
  }
}
