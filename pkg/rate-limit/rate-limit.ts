import { isIPv6 } from 'node:net'
import type { Request, RequestHandler, Response } from 'express'
import { CodedError } from '../problem/index.ts'
import { type Counter, WINDOW_MS } from './rate-counter.ts'

export interface RateLimitOptions {
  /** Requests that one client may send in a minute; 0 is no limit. Asked for at each request, because it may change. */
  readonly perMinute: () => number
  readonly count: Counter
}

/** One address, or for IPv6 the network of 64 bits that one client has to itself. Some proxies add the client's port. */
export function clientOf(forwarded: string): string {
  const address = forwarded
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .toLowerCase()
  // What a proxy was told may be anything, and is kept for a minute.
  if (!isIPv6(address)) return address.slice(0, 64)
  const groups = groupsOf(address)
  const network = groups.slice(0, 6).join(':')
  // An IPv4 address in the form of IPv6, as it is or behind a translator.
  if (network === '0:0:0:0:0:ffff' || network === '64:ff9b:0:0:0:0') return groups.slice(6).join(':')
  return groups.slice(0, 4).join(':')
}

/** All eight. */
function groupsOf(address: string): string[] {
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number)
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
  const [head = [], tail = []] = hexadecimal.split('::').map((part) => part.split(':').filter(Boolean))
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0')
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16).toString(16))
}

/**
 * Refuses a client that has sent more than its share in the minute, with 429. Tells each what is left:
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
export function rateLimit({ perMinute, count }: RateLimitOptions): RequestHandler {
  async function limited(limit: number, req: Request, res: Response): Promise<void> {
    const { used, resetMs } = await count(clientOf(req.ip ?? ''))
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
    limited(limit, req, res).then(() => next(), next)
  }
}
