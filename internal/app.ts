import { setImmediate } from 'node:timers/promises'
import { ConfigError } from '#config/load.ts'
import type { Settings } from '#config/settings.ts'
import { createHealth, createHeartbeat, postgresCheck } from '#pkg/health/index.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLifecycle, limitConnections, listen } from '#pkg/lifecycle/index.ts'
import { createLogger, createOutput } from '#pkg/logging/index.ts'
import { createNotifier, type Systemd } from '#pkg/systemd.ts'
import type { Access } from './access.ts'
import { buildInfo } from './build-info.ts'
import { probes } from './handler/probes.ts'
import { logHealth, logLifecycle } from './log-events.ts'
import type { Counts } from './metrics.ts'
import { createServer } from './server.ts'

/** Composes the service. `start()` runs it and resolves with the exit code after the stop. */
export function createApp(settings: Settings, systemd: Systemd): { start(): Promise<0 | 1> } {
  const { current } = settings
  const config = current()
  const { version } = buildInfo
  const service = config.SERVICE_NAME ?? buildInfo.name
  const counts: Counts = { reloads: 0, failedReloads: 0, isCountingAlone: false }
  const context = createRequestContext()
  const output = createOutput({
    bufferBytes: config.LOG_BUFFER,
    bufferMs: config.LOG_BUFFER_MS,
    onDropped: (lines) => logger.error({ lines }, 'log lines dropped'),
  })
  process.on('exit', () => output.flushSync())
  const logger = createLogger({
    level: config.LOG_LEVEL,
    base: { service, version, pid: process.pid },
    destination: output,
    context(fields) {
      const reqId = 'reqId' in fields ? undefined : context.requestId()
      return reqId === undefined ? undefined : { reqId }
    },
  })

  function reload(): void {
    try {
      const changed = settings.reload()
      counts.reloads++
      logger.level = current().LOG_LEVEL
      logger.info({ changed }, 'settings reloaded')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      counts.failedReloads++
      logger.error({ problems: error.problems }, 'settings not reloaded')
    }
  }

  const lifecycle = createLifecycle({
    process,
    drainDelayMs: config.DRAIN_DELAY_MS,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    reload,
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
  const timeouts = {
    headersTimeoutMs: config.HEADERS_TIMEOUT_MS,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
    socketTimeoutMs: config.SOCKET_TIMEOUT_MS,
  }
  const { server, drain, messages, handle } = createServer({
    ...timeouts,
    ownsSocket: fd === undefined,
    probe: probes({ lifecycle, health, service, version, dialect: () => current().HEALTH_DIALECT }),
    onClientError: (event) => logger.info(event, 'request not understood'),
  })
  limitConnections({
    server,
    closeIdle: drain.closeIdle,
    reservedFiles: 128 + config.DATABASE_POOL_MAX,
    onEvent: ({ type, ...fields }) => logger.warn(fields, type),
  })

  // Optional modules are loaded only when the configuration enables them.
  const start = () =>
    lifecycle.run(async (use) => {
      await use({
        name: 'listener',
        async start() {
          await listen({ server, host: config.HOST, port: config.PORT, fd, reusePort: config.REUSE_PORT })
          server.on('error', (err) => logger.error({ err }, 'connection not accepted'))
          logger.info(server.address(), 'listening')
        },
      })
      // Probes respond from here on. Each module loads in a turn of its own, so that probes are served in between.
      await setImmediate()
      const { createHttp } = await import('./http.ts')
      await setImmediate()
      const { listRoutes } = await import('./routes.ts')
      await setImmediate()
      const metrics =
        config.ADMIN_PORT === 0
          ? undefined
          : (await import('./metrics.ts')).createServiceMetrics({
              service,
              version,
              counts,
              droppedLines: output.dropped,
              phase: lifecycle.phase,
              snapshot: health.snapshot,
            })
      if (metrics) {
        const { createAdmin } = await import('./admin.ts')
        const { HOST: host, ADMIN_PORT: port, REUSE_PORT: reusePort } = config
        await use(createAdmin({ ...timeouts, host, port, reusePort, metrics, logger }))
      }
      await setImmediate()

      // The HTTP part stops before the stores, so requests no longer use them: wait only briefly for a store that
      // hangs.
      const stopTimeoutMs = 1_000
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
              prepare: config.DATABASE_PREPARE,
              onError: (err) => logger.debug({ err, store: 'database' }, 'store error'),
              observer: metrics?.observeDatabase(),
            })
      if (postgres) {
        await use({ name: 'database', stop: () => postgres.stop(), stopTimeoutMs })
        const check = postgresCheck({
          pool: postgres.checkPool,
          migrations: postgres.migrations,
          onUnknown: (migrations) => logger.warn({ migrations }, 'database has migrations of another build'),
        })
        health.watch({ name: 'database', check, critical: () => current().DATABASE_CRITICAL })
      }
      await setImmediate()
      const redis =
        config.REDIS_URL === undefined
          ? undefined
          : (await import('./store/redis.ts')).createRedis({
              url: config.REDIS_URL,
              clientName: service,
              connectTimeoutMs: config.REDIS_CONNECT_TIMEOUT_MS,
              onError: (err) => logger.debug({ err, store: 'redis' }, 'store error'),
              observe: metrics?.observeRedis,
            })
      if (redis) {
        await use({ name: 'redis', start: () => redis.start(), stop: () => redis.stop(), stopTimeoutMs })
        health.watch({
          name: 'redis',
          check: (signal) => redis.ping(signal),
          critical: () => current().REDIS_CRITICAL,
        })
      }
      for (const { name, target } of config.HEALTH_CHECKS) {
        const critical = () => current().HEALTH_CRITICAL.includes(name)
        health.watch({ name, check: createHeartbeat(target), critical })
      }
      await use({ name: 'health', start: () => health.start(), stop: () => health.stop() })
      settings.watch(reload)

      const { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, SESSION_SECRET: secrets } = config
      let access: Access | undefined
      if (jwksUrl !== undefined && issuer !== undefined && audience !== undefined) {
        const { createAccess, createSessions } = await import('./access.ts')
        const sessions =
          secrets &&
          redis &&
          (await createSessions({
            redis,
            service,
            secrets,
            ttlMs: config.SESSION_TTL_MS,
            origins: config.CORS_ORIGINS ?? [],
            secure: config.NODE_ENV === 'production',
          }))
        access = createAccess({ jwksUrl, issuer, audience, ...(sessions && { sessions }) })
      }
      const resources = postgres
        ? (await import('./resources.ts')).listResources({
            db: postgres.db,
            onError: (err) => logger.warn({ err }, 'expired idempotency keys not deleted'),
          })
        : []
      const { createRateLimit } = await import('./rate-limit.ts')
      const app = createHttp({
        logger,
        context,
        messages,
        ...(metrics && { onRoute: metrics.http.bind }),
        trustProxy: config.TRUST_PROXY,
        bodyLimitBytes: config.BODY_LIMIT,
        // Without sessions a browser has no cookie to send.
        ...(config.CORS_ORIGINS && { cors: { origins: config.CORS_ORIGINS, credentials: secrets !== undefined } }),
        rateLimit: createRateLimit({
          perMinute: () => current().RATE_LIMIT,
          redis,
          service,
          logger,
          onEvent({ type }) {
            counts.isCountingAlone = type === 'counting alone'
          },
        }),
        ...(access && { guard: access.authenticate }),
        routes: listRoutes({
          settings: current,
          optional: [...(access?.routes ?? []), ...resources],
          ...(access && { guard: access.guard }),
        }),
      })
      await use({
        name: 'http',
        start: () => handle(metrics ? metrics.http.measure(app) : app),
        drain: () => drain.begin(),
        stop: (signal) => drain.close(signal),
      })
      const onError = (err: Error) => logger.warn({ err }, 'systemd not notified')
      await use({ name: 'systemd', ...createNotifier({ ...systemd, onError }) })
    })

  return { start }
}
