import type { HealthEvent } from '#pkg/health/index.ts'
import type { LifecycleEvent } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { UpstreamEvent } from '#pkg/upstream/index.ts'

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

const CIRCUIT_MESSAGES = {
  closed: 'circuit closed',
  open: 'circuit opened',
  'half-open': 'circuit half-open',
  isolated: 'circuit opened by an operator',
} as const

/** Logs the instances of an upstream that come and go, and the states of its circuit. */
export const logUpstream = (logger: Logger) => (event: UpstreamEvent) => {
  const { upstream } = event
  switch (event.type) {
    case 'circuit':
      return logger[event.state === 'open' || event.state === 'isolated' ? 'error' : 'info'](
        { upstream },
        CIRCUIT_MESSAGES[event.state],
      )
    case 'instance ejected':
      return logger.warn({ upstream, instance: event.instance }, 'instance ejected')
    case 'instance back':
      return logger.info({ upstream, instance: event.instance }, 'instance back')
    case 'instances changed':
      return logger.info({ upstream, added: event.added, removed: event.removed }, 'instances changed')
    case 'not resolved':
      return logger.warn({ upstream, err: event.error }, 'upstream not resolved')
  }
}
