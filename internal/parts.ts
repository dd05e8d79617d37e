import type { Config, Heartbeat } from '#config/env.ts'
import { ConfigError } from '#config/load.ts'
import type { Settings } from '#config/settings.ts'
import {
  type Check,
  commandCheck,
  createHealth,
  type Health,
  httpCheck,
  postgresCheck,
  redisCheck,
  tcpCheck,
} from '#pkg/health/index.ts'
import type { LifecycleEvent, Part } from '#pkg/lifecycle/index.ts'
import { createLogger, createOutput, type Logger, type LoggerOptions } from '#pkg/logging/index.ts'
import { createNotifier, type Systemd } from '#pkg/systemd/index.ts'
import { buildInfo } from './build-info.ts'
import type { Postgres } from './store/postgres.ts'
import type { Redis } from './store/redis.ts'

/*
 * What app.ts and primary.ts are put together from: the configuration turned into parts.
 */

export const serviceName = ({ SERVICE_NAME }: Config) => SERVICE_NAME ?? buildInfo.name

export function createServiceLogger(config: Config, context?: LoggerOptions['context']): Logger {
  const base = { service: serviceName(config), version: buildInfo.version, pid: process.pid }
  const output = createOutput({
    bufferBytes: config.LOG_BUFFER,
    bufferMs: config.LOG_BUFFER_MS,
    onDropped: (lines) => logger.error({ lines }, 'log lines dropped'),
  })
  // However it ends, but for a kill.
  process.on('exit', () => output.flushSync())
  const logger = createLogger({ level: config.LOG_LEVEL, base, destination: output, ...(context && { context }) })
  return logger
}

/** What is told of the end of a part, and of the phases. */
export const logLifecycle = (logger: Logger) => (event: LifecycleEvent) => {
  if (event.type === 'part failed to stop') logger.error({ err: event.error, part: event.part }, event.type)
  else logger[event.type === 'deadline missed' || event.type === 'cut' ? 'error' : 'info'](event.type)
}

/** What has to be told that values have changed. Everything else asks `settings` each time. */
export function applySettings(next: Config, logger: Logger): void {
  logger.level = next.LOG_LEVEL
}

/** Takes over what has changed in SETTINGS_FILE. */
export function reloadOf(settings: Settings, logger: Logger): () => void {
  return function reload() {
    try {
      const changed = settings.reload()
      applySettings(settings.current(), logger)
      logger.info({ changed }, 'settings reloaded')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      logger.error({ problems: error.problems }, 'settings not reloaded')
    }
  }
}

export interface Stores {
  readonly postgres: Postgres | undefined
  readonly redis: Redis | undefined
}

/** A store whose URL is unset is absent: no client, no check, and its driver is not even loaded. */
export async function createStores(config: Config, service: string, logger: Logger): Promise<Stores> {
  // Each try of a dependency that is down fails anew; the change of state is logged by the health checks.
  const onError = (store: string) => (err: Error) => logger.debug({ err, store }, 'store error')
  const postgres =
    config.DATABASE_URL === undefined
      ? undefined
      : (await import('./store/postgres.ts')).createPostgres({
          url: config.DATABASE_URL,
          applicationName: service,
          poolMax: config.DATABASE_POOL_MAX,
          connectTimeoutMs: config.DATABASE_CONNECT_TIMEOUT_MS,
          statementTimeoutMs: config.DATABASE_STATEMENT_TIMEOUT_MS,
          idleTimeoutMs: config.DATABASE_IDLE_TIMEOUT_MS,
          onError: onError('database'),
        })
  const redis =
    config.REDIS_URL === undefined
      ? undefined
      : (await import('./store/redis.ts')).createRedis({
          url: config.REDIS_URL,
          clientName: service,
          connectTimeoutMs: config.REDIS_CONNECT_TIMEOUT_MS,
          onError: onError('redis'),
        })
  return { postgres, redis }
}

export function storeParts({ postgres, redis }: Stores): Part[] {
  // Nothing uses a store when it is stopped, so one that still does not answer is not worth the wait.
  const stopTimeoutMs = 1_000
  const parts: Part[] = []
  if (postgres) parts.push({ name: 'database', stop: () => postgres.stop(), stopTimeoutMs })
  if (redis) parts.push({ name: 'redis', start: () => redis.start(), stop: () => redis.stop(), stopTimeoutMs })
  return parts
}

export function createHealthOf(
  settings: Settings,
  { postgres, redis }: Stores,
  logger: Logger,
  onChange = () => {},
): Health {
  const { current } = settings
  const checks: { name: string; check: Check; critical: () => boolean }[] = []
  if (postgres) {
    const check = postgresCheck({ pool: postgres.checkPool, migrations: postgres.migrations })
    checks.push({ name: 'database', check, critical: () => current().DATABASE_CRITICAL })
  }
  if (redis) checks.push({ name: 'redis', check: redisCheck({ redis }), critical: () => current().REDIS_CRITICAL })
  for (const { name, target } of current().HEALTH_CHECKS) {
    checks.push({ name, check: heartbeatCheck(target), critical: () => current().HEALTH_CRITICAL.includes(name) })
  }
  return createHealth({
    checks,
    settings: () => {
      const { HEALTH_INTERVAL_MS, HEALTH_TIMEOUT_MS, HEALTH_FALL, HEALTH_RISE } = current()
      return { intervalMs: HEALTH_INTERVAL_MS, timeoutMs: HEALTH_TIMEOUT_MS, fall: HEALTH_FALL, rise: HEALTH_RISE }
    },
    onEvent: ({ name, status, critical, reason, error }) => {
      onChange()
      // What waits on a connection that no longer answers fails now, and the next command gets another one.
      if (name === 'redis' && reason === 'timeout') redis?.reconnect()
      if (status === 'ok') logger.info({ check: name }, 'check ok')
      else logger[critical ? 'error' : 'warn']({ check: name, critical, reason, err: error }, 'check failed')
    },
  })
}

function heartbeatCheck(target: Heartbeat['target']): Check {
  switch (target.type) {
    case 'http':
      return httpCheck(target)
    case 'tcp':
      return tcpCheck(target)
    case 'command':
      return commandCheck(target)
  }
}

export function healthPart(health: Health): Part {
  return { name: 'health', start: () => health.start(), stop: () => health.stop() }
}

export function settingsPart(settings: Settings, reload: () => void): Part {
  let unwatch = () => {}
  return {
    name: 'settings',
    start() {
      unwatch = settings.watch(reload)
    },
    stop: () => unwatch(),
  }
}

export function systemdPart({ notify, watchdogMs }: Systemd, logger: Logger): Part {
  const onError = (err: Error) => logger.warn({ err }, 'systemd not notified')
  const notifier = createNotifier({ enabled: notify, onError, ...(watchdogMs !== undefined && { watchdogMs }) })
  return {
    name: 'systemd',
    start: () => notifier.ready(),
    drain: () => notifier.stopping(),
    stop: () => notifier.stop(),
  }
}
