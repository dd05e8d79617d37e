import type { RequestHandler } from 'express'
import type { Logger } from '#pkg/logging/index.ts'
import { rateLimit } from '#pkg/rate-limit/rate-limit.ts'
import { createSharedCount } from './store/rate-counts.ts'
import type { Redis } from './store/redis.ts'
import { logEvent } from './telemetry/log-events.ts'
import type { Counts } from './telemetry/metrics.ts'

export interface RateLimitDeps {
  readonly perMinute: () => number
  /** The shared store of the counts. Undefined: each instance counts separately. */
  readonly redis: Pick<Redis, 'run'> | undefined
  readonly service: string
  readonly logger: Logger
  readonly counts: Pick<Counts, 'isCountingAlone'>
}

export function createRateLimit({ perMinute, redis, service, logger, counts }: RateLimitDeps): RequestHandler {
  if (redis === undefined) return rateLimit({ perMinute })
  return rateLimit({
    perMinute,
    shared: createSharedCount({ redis, service }),
    onEvent(event) {
      counts.isCountingAlone = event.type === 'counting alone'
      if (event.type === 'counting alone') logEvent(logger, 'warn', 'rate limit counted alone', { err: event.error })
      else logEvent(logger, 'info', 'rate limit counted together')
    },
  })
}
