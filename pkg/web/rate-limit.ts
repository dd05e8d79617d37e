import { isIPv6 } from 'node:net'
import type { RequestHandler } from 'express'
import type { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

export interface RateLimitOptions {
  /** Requests that one client may send in a minute; 0 is no limit. Asked for at each request, because it may change. */
  readonly perMinute: () => number
}

const WINDOW_S = 60

/** One address, or for IPv6 the network of 64 bits that one client has to itself. Some proxies add the client's port. */
export function clientOf(forwarded: string): string {
  const address = forwarded
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .toLowerCase()
  if (!isIPv6(address)) return address
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
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/. Each process counts for itself.
 */
export function rateLimit({ perMinute }: RateLimitOptions): RequestHandler {
  let loading: Promise<RateLimiterMemory> | undefined

  async function consume(client: string, limit: number): Promise<RateLimiterRes> {
    loading ??= import('rate-limiter-flexible').then(
      ({ RateLimiterMemory }) => new RateLimiterMemory({ points: limit, duration: WINDOW_S }),
    )
    const limiter = await loading
    limiter.points = limit
    try {
      return await limiter.consume(client)
    } catch (refusal) {
      // It throws what it would have returned.
      if (refusal instanceof Error) throw refusal
      return refusal as RateLimiterRes
    }
  }

  return function rateLimit(req, res, next) {
    const limit = perMinute()
    if (limit === 0) return next()
    consume(clientOf(req.ip ?? ''), limit).then(({ consumedPoints, msBeforeNext }) => {
      const seconds = Math.ceil(msBeforeNext / 1000)
      res.set('ratelimit-policy', `"client";q=${limit};w=${WINDOW_S}`)
      res.set('ratelimit', `"client";r=${Math.max(0, limit - consumedPoints)};t=${seconds}`)
      if (consumedPoints <= limit) return next()
      res.set('retry-after', String(seconds))
      next(Object.assign(new Error('too many requests'), { code: 'too_many_requests' }))
    }, next)
  }
}
