import { isIPv6 } from 'node:net'
import type { Request, RequestHandler, Response } from 'express'
import { CodedError } from '../problem/index.ts'
import { localCounter, type SharedCounterOptions, sharedCounter, WINDOW_MS } from './counter.ts'

export interface RateLimitOptions extends Pick<SharedCounterOptions, 'onEvent'> {
  /** Maximum number of requests of one client in a minute. 0 means no limit. Evaluated for each request. */
  readonly perMinute: () => number
  /** Counts for all instances. @default this process counts alone */
  readonly shared?: SharedCounterOptions['shared'] | undefined
}

/**
 * Returns the IPv4 address, or the /64 network of an IPv6 address, which one client usually owns. Some proxies add a
 * port to the address.
 */
export function identifyClient(forwarded: string): string {
  const address = forwarded.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')
  const url = isIPv6(address) ? URL.parse(`http://[${address}]`) : null
  // A forwarded address is untrusted text, and the counter keeps it for a minute.
  if (url === null) return address.toLowerCase().slice(0, 64)
  // A URL contains an embedded IPv4 address in hexadecimal, and `::` in place of the longest run of zeros.
  const [head = [], tail = []] = url.hostname.split('::').map((part) => part.match(/[0-9a-f]+/g) ?? [])
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
  const network = groups.slice(0, 6).join(':')
  // The address is an IPv4 address that is mapped to IPv6, directly or by NAT64.
  if (network === '0:0:0:0:0:ffff' || network === '64:ff9b:0:0:0:0') {
    const pairs = groups.slice(6).map((group) => Number.parseInt(group, 16))
    return pairs.flatMap((pair) => [pair >> 8, pair & 255]).join('.')
  }
  return groups.slice(0, 4).join(':')
}

/**
 * Rejects a client that exceeds its limit with 429, and reports the remaining requests in each response:
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
export function rateLimit({ perMinute, shared, onEvent }: RateLimitOptions): RequestHandler {
  const count = shared ? sharedCounter({ shared, onEvent }) : localCounter()

  async function checkLimit(limit: number, req: Request, res: Response): Promise<void> {
    const { used, resetMs } = await count(identifyClient(req.ip ?? ''))
    const seconds = Math.ceil(resetMs / 1000)
    res.set('ratelimit-policy', `"client";q=${limit};w=${WINDOW_MS / 1000}`)
    res.set('ratelimit', `"client";r=${Math.max(0, limit - used)};t=${seconds}`)
    if (used <= limit) return
    res.set('retry-after', String(seconds))
    throw new CodedError('too_many_requests')
  }

  return function rateLimit(req, res, next) {
    const limit = perMinute()
    if (limit === 0) return next()
    checkLimit(limit, req, res).then(() => next(), next)
  }
}
