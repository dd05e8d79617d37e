import type { HealthEvent } from '#pkg/health/index.ts'
import type { LifecycleEvent } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'

const LIFECYCLE_LEVELS = {
  serving: 'info',
  signal: 'info',
  draining: 'info',
  stopped: 'info',
  cut: 'error',
  'deadline missed': 'error',
  'part failed to stop': 'error',
  'failed to start': 'fatal',
  crash: 'fatal',
} as const

export const logLifecycle =
  (logger: Logger) =>
  ({ type, ...fields }: LifecycleEvent) =>
    logger[LIFECYCLE_LEVELS[type]](fields, type)

/** Logs each check that changes its status. */
export const logHealth =
  (logger: Logger) =>
  ({ name, status, critical, reason, error }: HealthEvent) => {
    if (status === 'ok') logger.info({ check: name }, 'check ok')
    else logger[critical ? 'error' : 'warn']({ check: name, critical, reason, err: error }, 'check failed')
  }
