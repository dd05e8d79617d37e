import type { Check } from '../monitor.ts'

export interface RedisCheckOptions {
  readonly redis: { ping(signal: AbortSignal): Promise<unknown> }
}

/** Sends PING on the connection that requests use. */
export function redisCheck({ redis }: RedisCheckOptions): Check {
  return (signal) => redis.ping(signal)
}
