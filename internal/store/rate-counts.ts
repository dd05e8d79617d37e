import { type Count, WINDOW_MS } from '#pkg/rate-limit/counter.ts'
import type { Redis } from './redis.ts'

export interface RateCountsDeps {
  readonly redis: Pick<Redis, 'run'>
  /** Prefix of the keys: other services may use the same Redis. */
  readonly service: string
}

/** Longest wait of a request, in milliseconds. */
const TIMEOUT_MS = 50

/** Counts and sets the expiry in one step: a key without an expiry would block its client for good. */
const COUNT = `
  local used = redis.call('incr', KEYS[1])
  if used == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end
  return { used, redis.call('pttl', KEYS[1]) }`

/** Counts the requests of a client in Redis for all instances of the service. */
export function createSharedCount({ redis, service }: RateCountsDeps): (client: string) => Promise<Count> {
  return async function count(client) {
    const command = ['EVAL', COUNT, '1', `${service}:rate:${client}`, String(WINDOW_MS)]
    const [used, resetMs] = await redis.run<[number, number]>(TIMEOUT_MS, ...command)
    return { used, resetMs }
  }
}
