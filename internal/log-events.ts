import type { HealthEvent } from '#pkg/health/index.ts'
import type { LifecycleEvent } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { CounterEvent } from '#pkg/rate-limit/counter.ts'

/** Logs the phases of the service and the parts that fail to stop. */
export const logLifecycle = (logger: Logger) => (event: LifecycleEvent) => {
  if (event.type === 'part failed to stop') logger.error({ err: event.error, part: event.part }, event.type)
  else logger[event.type === 'deadline missed' || event.type === 'cut' ? 'error' : 'info'](event.type)
}

/** Logs each check that changes its status. */
export const logHealth =
  (logger: Logger) =>
  ({ name, status, critical, reason, error }: HealthEvent) => {
    if (status === 'ok') logger.info({ check: name }, 'check ok')
    else logger[critical ? 'error' : 'warn']({ check: name, critical, reason, err: error }, 'check failed')
  }

/** Logs when the rate limit stops or resumes counting in Redis. */
export const logCounter = (logger: Logger) => (event: CounterEvent) => {
  if (event.type === 'counting alone') logger.warn({ err: event.error }, 'rate limit counted alone')
  else logger.info('rate limit counted together')
}
