import type { Check } from '../monitor.ts'

export interface RedisCheckOptions {
  readonly redis: {
    ping(signal: AbortSignal): Promise<unknown>
    /** Drops a connection that no longer answers, so that what waits on it fails, and opens a new one. */
    reconnect(): void
  }
}

/** PING on the connection that requests use. */
export function redisCheck({ redis }: RedisCheckOptions): Check {
  return async function checkRedis(signal) {
    const giveUp = () => redis.reconnect()
    signal.addEventListener('abort', giveUp)
    try {
      await redis.ping(signal)
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }
}
