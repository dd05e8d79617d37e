import { setImmediate } from 'node:timers/promises'
import type { Config } from '#config/env.ts'
import { ConfigError } from '#config/load.ts'
import type { Settings } from '#config/settings.ts'
import { createHealth, createHeartbeat, postgresCheck, redisCheck } from '#pkg/health/index.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLifecycle, type Lifecycle, limitConnections, listen } from '#pkg/lifecycle/index.ts'
import { createLogger, createOutput, type Logger } from '#pkg/logging/index.ts'
import { createNotifier, type Systemd } from '#pkg/systemd/index.ts'
import { buildInfo } from './build-info.ts'
import { probes } from './handler/probes.ts'
import { logCounter, logHealth, logLifecycle } from './log-events.ts'
import { createServer } from './server.ts'

export interface App {
  readonly lifecycle: Lifecycle
  readonly logger: Logger
  /** Starts every part in order. `lifecycle.stop()` stops them in reverse. */
  start(): Promise<void>
  /** Applies the changes of SETTINGS_FILE, or logs why it cannot and changes nothing. Never throws. */
  reload(): void
}

/** Composes the service. Nothing runs before `start()`. */
export function createApp(settings: Settings, systemd: Systemd): App {
  const config = settings.current()
  const { current } = settings
  const service = config.SERVICE_NAME ?? buildInfo.name
  const context = createRequestContext()
  const output = createOutput({
    bufferBytes: config.LOG_BUFFER,
    bufferMs: config.LOG_BUFFER_MS,
    onDropped: (lines) => logger.error({ lines }, 'log lines dropped'),
  })
  const logger = createLogger({
    level: config.LOG_LEVEL,
    base: { service, version: buildInfo.version, pid: process.pid },
    destination: output,
    context(fields) {
      const id = 'reqId' in fields ? undefined : context.requestId()
      return id === undefined ? undefined : { reqId: id }
    },
  })
  process.on('exit', () => output.flushSync())

  const lifecycle = createLifecycle({
    drainDelayMs: config.DRAIN_DELAY_MS,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    onEvent: logLifecycle(logger),
  })
  const health = createHealth({
    settings: () => ({
      intervalMs: current().HEALTH_INTERVAL_MS,
      timeoutMs: current().HEALTH_TIMEOUT_MS,
      fall: current().HEALTH_FALL,
      rise: current().HEALTH_RISE,
    }),
    onEvent: logHealth(logger),
  })
  const fd = config.LISTEN_FD ?? systemd.listenFd
  const { server, drain, messages, handle } = createServer({
    headersTimeoutMs: config.HEADERS_TIMEOUT_MS,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
    socketTimeoutMs: config.SOCKET_TIMEOUT_MS,
    ownsSocket: fd === undefined,
    probe: probes({
      lifecycle,
      health,
      service,
      version: buildInfo.version,
      dialect: () => current().HEALTH_DIALECT,
    }),
    onClientError: (event) => logger.info(event, 'request not understood'),
  })
  limitConnections({
    server,
    closeIdle: drain.closeIdle,
    reservedFiles: 64 + config.DATABASE_POOL_MAX,
    onEvent: ({ type, ...fields }) => logger.warn(fields, type),
  })
  const notifier = createNotifier({
    enabled: systemd.notify,
    onError: (err) => logger.warn({ err }, 'systemd not notified'),
    ...(systemd.watchdogMs !== undefined && { watchdogMs: systemd.watchdogMs }),
  })

  function reload(): void {
    try {
      const changed = settings.reload()
      logger.level = current().LOG_LEVEL
      logger.info({ changed }, 'settings reloaded')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      logger.error({ problems: error.problems }, 'settings not reloaded')
    }
  }

  const start = () =>
    lifecycle.start(async (use) => {
      // Probes respond from here on. Each room is loaded in a turn of its own, so that they need not wait.
      await use({
        name: 'listener',
        async start() {
          await listen({
            server,
            host: config.HOST,
            port: config.PORT,
            fd,
            reusePort: config.REUSE_PORT,
          })
          server.on('error', (err) => logger.error({ err }, 'connection not accepted'))
          logger.info(server.address(), 'listening')
        },
      })
      await setImmediate()
      const { createHttp } = await import('./http.ts')
      await setImmediate()
      const { listRoutes } = await import('./routes.ts')
      await setImmediate()

      // No part uses a store when it stops, so a store that does not respond is not worth a longer wait.
      const stopTimeoutMs = 1_000
      const postgres = await createPostgres(config, service, logger)
      if (postgres) {
        await use({ name: 'database', stop: () => postgres.stop(), stopTimeoutMs })
        const check = postgresCheck({ pool: postgres.checkPool, migrations: postgres.migrations })
        health.watch({ name: 'database', check, critical: () => current().DATABASE_CRITICAL })
      }
      await setImmediate()
      const redis = await createRedis(config, service, logger)
      if (redis) {
        await use({ name: 'redis', start: () => redis.start(), stop: () => redis.stop(), stopTimeoutMs })
        health.watch({
          name: 'redis',
          check: redisCheck({ redis }),
          critical: () => current().REDIS_CRITICAL,
          // Commands on a connection that does not respond fail now, and the next command gets another connection.
          onEvent: ({ reason }) => reason === 'timeout' && redis.reconnect(),
        })
      }
      for (const { name, target } of config.HEALTH_CHECKS) {
        const critical = () => current().HEALTH_CRITICAL.includes(name)
        health.watch({ name, check: createHeartbeat(target), critical })
      }
      await use({ name: 'health', start: () => health.start(), stop: () => health.stop() })
      let unwatch = () => {}
      await use({
        name: 'settings',
        start() {
          unwatch = settings.watch(reload)
        },
        stop: () => unwatch(),
      })

      const access = await createAccess(config, service, redis)
      const resources = postgres ? await listResources(postgres, logger) : []
      const routes = listRoutes({
        settings: current,
        optional: [...(access?.routes ?? []), ...resources],
        ...(access && { guard: access.guard }),
      })
      const app = createHttp({
        logger,
        context,
        messages,
        trustProxy: config.TRUST_PROXY,
        bodyLimitBytes: config.BODY_LIMIT,
        // Without sessions a browser has no cookie to send.
        ...(config.CORS_ORIGINS && {
          cors: { origins: config.CORS_ORIGINS, credentials: config.SESSION_SECRET !== undefined },
        }),
        rateLimit: await createRateLimit(settings, service, redis, logger),
        ...(access && { guard: access.authenticate }),
        routes,
      })
      await use({
        name: 'http',
        start: () => handle(app),
        drain: () => drain.begin(),
        stop: (signal) => drain.close(signal),
      })
      await use({
        name: 'systemd',
        start: () => notifier.ready(),
        drain: () => notifier.stopping(),
        stop: () => notifier.stop(),
      })
    })

  return { lifecycle, logger, start, reload }
}

/* Each of the following loads its room only when the configuration asks for it. */

async function createPostgres(config: Config, service: string, logger: Logger) {
  if (config.DATABASE_URL === undefined) return undefined
  const { createPostgres } = await import('./store/postgres.ts')
  return createPostgres({
    url: config.DATABASE_URL,
    applicationName: service,
    poolMax: config.DATABASE_POOL_MAX,
    connectTimeoutMs: config.DATABASE_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: config.DATABASE_STATEMENT_TIMEOUT_MS,
    idleTimeoutMs: config.DATABASE_IDLE_TIMEOUT_MS,
    onError: (err) => logger.debug({ err, store: 'database' }, 'store error'),
  })
}

async function createRedis(config: Config, service: string, logger: Logger) {
  if (config.REDIS_URL === undefined) return undefined
  const { createRedis } = await import('./store/redis.ts')
  return createRedis({
    url: config.REDIS_URL,
    clientName: service,
    connectTimeoutMs: config.REDIS_CONNECT_TIMEOUT_MS,
    onError: (err) => logger.debug({ err, store: 'redis' }, 'store error'),
  })
}

type Postgres = NonNullable<Awaited<ReturnType<typeof createPostgres>>>
type Redis = Awaited<ReturnType<typeof createRedis>>

async function listResources({ db }: Postgres, logger: Logger) {
  const { listResources } = await import('./resources.ts')
  return listResources({ db, onError: (err) => logger.warn({ err }, 'expired idempotency keys not deleted') })
}

async function createAccess(config: Config, service: string, redis: Redis) {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, SESSION_SECRET: secrets } = config
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined
  const { createAccess } = await import('./access.ts')
  if (secrets === undefined || redis === undefined) return createAccess({ jwksUrl, issuer, audience })
  const { createSessions } = await import('#pkg/access/sessions.ts')
  const { createSessionStore } = await import('./store/sessions.ts')
  const sessions = createSessions({
    store: createSessionStore({ redis, service }),
    secrets,
    ttlMs: config.SESSION_TTL_MS,
    origins: config.CORS_ORIGINS ?? [],
    secure: config.NODE_ENV === 'production',
  })
  return createAccess({ jwksUrl, issuer, audience, sessions })
}

async function createRateLimit({ current }: Settings, service: string, redis: Redis, logger: Logger) {
  const { localCounter, rateLimit, sharedCounter } = await import('#pkg/rate-limit/index.ts')
  const perMinute = () => current().RATE_LIMIT
  const local = localCounter()
  if (redis === undefined) return rateLimit({ perMinute, count: local })
  const { createSharedCount } = await import('./store/rate-counts.ts')
  const shared = createSharedCount({ redis, service })
  return rateLimit({ perMinute, count: sharedCounter({ shared, local, onEvent: logCounter(logger) }) })
}
