import type { Server } from 'node:http'
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
  type Snapshot,
  tcpCheck,
} from '#pkg/health/index.ts'
import {
  createHttpDrain,
  createLifecycle,
  type HttpDrain,
  type Lifecycle,
  type LifecycleEvent,
  type Part,
} from '#pkg/lifecycle/index.ts'
import { createLogger, type Logger } from '#pkg/logging/index.ts'
import { createNotifier, type Systemd } from '#pkg/systemd/index.ts'
import { answerClientErrors, answerProblem, createRequestContext, requestTarget } from '#pkg/web/index.ts'
import { buildInfo } from './build-info.ts'
import { probes } from './handler/probes.ts'
import { createHttpApp, createHttpServer } from './server.ts'
import type { Postgres } from './store/postgres.ts'
import type { Redis } from './store/redis.ts'

/** What a process that shares its port with others is told of the whole service. */
export interface ServiceLink {
  /** What the primary's checks have found. */
  snapshot(): Snapshot
  /** Whether the service goes on when this process ends. */
  retired(): boolean
  /** Resolves when this process may end. */
  leave(): Promise<void>
}

export interface App {
  readonly lifecycle: Lifecycle
  readonly logger: Logger
  /** Takes over what has changed in SETTINGS_FILE, or says why not and changes nothing. Never throws. */
  reload(): void
}

/** Puts every part together. Nothing runs before `lifecycle.start()`. */
export async function createApp(settings: Settings, systemd: Systemd, link?: ServiceLink): Promise<App> {
  const config = settings.current()
  const context = createRequestContext()
  const service = serviceName(config)
  const logger = createServiceLogger(config, () => {
    const id = context.requestId()
    return id === undefined ? {} : { reqId: id }
  })
  const stores = await createStores(config, service, logger)
  // One answer for the service, not one for each process that shares the port.
  const health = link ?? createHealthOf(settings, stores, logger)
  const app = createHttpApp({ logger, context, trustProxy: config.TRUST_PROXY, bodyLimitBytes: config.BODY_LIMIT })

  const server = createHttpServer(
    {
      headersTimeoutMs: config.HEADERS_TIMEOUT_MS,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
      socketTimeoutMs: config.SOCKET_TIMEOUT_MS,
    },
    (request, response) => {
      if (!drain.track(request, response) || probe(request, response)) return
      const target = requestTarget(request.url ?? '')
      if (target === undefined) return answerProblem(response, 'bad_request')
      request.url = target
      app(request, response)
    },
  )
  const drain = createHttpDrain({ server })
  answerClientErrors({
    server,
    responseOn: drain.responseOn,
    onEvent: (event) => logger.info(event, 'request not understood'),
  })

  const lifecycle = createLifecycle({
    parts: [
      ...(link ? [{ name: 'primary', stop: () => link.leave(), stopTimeoutMs: 1_000 }] : []),
      ...storeParts(stores),
      settingsPart(settings, logger),
      ...('start' in health ? [{ name: 'health', start: () => health.start(), stop: () => health.stop() }] : []),
      httpPart(config, systemd.listenFd, server, drain, logger),
      systemdPart(systemd, logger),
    ],
    drainDelayMs: config.DRAIN_DELAY_MS,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    onEvent: logLifecycle(logger),
  })
  const probe = probes({
    lifecycle: { phase: () => (link?.retired() ? 'serving' : lifecycle.phase()) },
    health,
    service,
    version: buildInfo.version,
    dialect: () => settings.current().HEALTH_DIALECT,
  })

  return { lifecycle, logger, reload: reloadOf(settings, logger) }
}

export const serviceName = ({ SERVICE_NAME }: Config) => SERVICE_NAME ?? buildInfo.name

export function createServiceLogger(config: Config, context?: () => object): Logger {
  const base = { service: serviceName(config), version: buildInfo.version, pid: process.pid }
  return createLogger({ level: config.LOG_LEVEL, base, ...(context && { context }) })
}

/** What is told of the end of a part, and of the phases. */
export const logLifecycle = (logger: Logger) => (event: LifecycleEvent) => {
  if (event.type === 'part failed to stop') logger.error({ err: event.error, part: event.part }, event.type)
  else logger[event.type === 'deadline missed' || event.type === 'cut' ? 'error' : 'info'](event.type)
}

/** Takes over what has changed. Everything else asks `settings` each time; what has to be told is told here. */
export function reloadOf(settings: Settings, logger: Logger): () => void {
  function applyReload(next: Config): void {
    logger.level = next.LOG_LEVEL
  }
  return function reload() {
    try {
      const changed = settings.reload()
      applyReload(settings.current())
      logger.info({ changed }, 'settings reloaded')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      logger.error({ problems: error.problems }, 'settings not reloaded')
    }
  }
}

/** Brings the database up to this version; resolves with the names of the migrations that were applied. */
export async function migrateDatabase({ DATABASE_URL: url, ...config }: Config): Promise<readonly string[]> {
  if (url === undefined) throw new ConfigError(['DATABASE_URL: got nothing, expected the database to migrate'])
  const [{ createPostgres }, { migrate }] = await Promise.all([
    import('./store/postgres.ts'),
    import('./store/migrate.ts'),
  ])
  const postgres = createPostgres({
    url,
    applicationName: `${serviceName(config as Config)} migrate`,
    poolMax: 1,
    connectTimeoutMs: config.DATABASE_CONNECT_TIMEOUT_MS,
    // A migration takes as long as it takes; what it must not do is queue behind a lock for ever.
    statementTimeoutMs: 3_600_000,
    idleTimeoutMs: config.DATABASE_IDLE_TIMEOUT_MS,
    onError: () => {},
  })
  try {
    return await migrate({ db: postgres.db })
  } finally {
    await postgres.stop()
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
    const check = postgresCheck({ pool: postgres.checkPool })
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

export function settingsPart(settings: Settings, logger: Logger): Part {
  let unwatch = () => {}
  return {
    name: 'settings',
    start() {
      unwatch = settings.watch(reloadOf(settings, logger))
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

function httpPart(
  { HOST: host, PORT: port, LISTEN_FD }: Config,
  inheritedFd: number | undefined,
  server: Server,
  drain: HttpDrain,
  logger: Logger,
): Part {
  const fd = LISTEN_FD ?? inheritedFd
  return {
    name: 'http',
    start: () =>
      new Promise<void>((resolve, reject) => {
        const failed = (error: NodeJS.ErrnoException) => reject(explained(error, host, port))
        server.once('error', failed)
        server.listen(fd === undefined ? { host, port } : { fd }, () => {
          // From now on errors are of one connection, such as too many open files.
          server.off('error', failed)
          server.on('error', (err) => logger.error({ err }, 'connection not accepted'))
          logger.info(server.address(), 'listening')
          resolve()
        })
      }),
    drain: () => drain.begin(),
    stop: (signal) => drain.close(signal),
  }
}

function explained(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const explanations: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is taken: stop what listens there, or set PORT`,
    EACCES: `port ${port} may not be opened by this user: set PORT to 1024 or above`,
    EADDRNOTAVAIL: `${host} is no address of this machine: set HOST`,
    ENOTFOUND: `${host} is no address of this machine: set HOST`,
  }
  const explanation = explanations[error.code ?? '']
  return explanation === undefined ? error : new Error(explanation, { cause: error })
}
