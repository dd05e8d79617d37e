import type { RequestHandler } from 'express'
import type { Logger } from '#pkg/logging/index.ts'
import { localCounter, rateLimit, sharedCounter } from '#pkg/rate-limit/index.ts'
import { createSharedCount } from './store/rate-counts.ts'
import type { Redis } from './store/redis.ts'

export interface RateLimitDeps {
  readonly perMinute: () => number
  /** Counts for all instances. @default each instance counts for itself */
  readonly redis: Pick<Redis, 'run'> | undefined
  readonly service: string
  readonly logger: Logger
}

export function createRateLimit({ perMinute, redis, service, logger }: RateLimitDeps): RequestHandler {
  const local = localCounter()
  if (redis === undefined) return rateLimit({ perMinute, count: local })
  const count = sharedCounter({
    shared: createSharedCount({ redis, service }),
    local,
    onEvent(event) {
      if (event.type === 'counting alone') logger.warn({ err: event.error }, 'rate limit counted alone')
      else logger.info('rate limit counted together')
    },
  })
  return rateLimit({ perMinute, count })
}
