import { setImmediate } from 'node:timers/promises'
import { ConfigError } from '#config/load.ts'
import type { Settings } from '#config/settings.ts'
import { describeExport } from '#config/telemetry.ts'
import { disablePretenuring } from '#pkg/fast-path/pretenuring.ts'
import { createHealth, createHeartbeat, postgresCheck } from '#pkg/health/index.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLifecycle, limitConnections, listen } from '#pkg/lifecycle/index.ts'
import type { Admission } from '#pkg/overload/index.ts'
import { createNotifier, type Systemd } from '#pkg/systemd.ts'
import type { Access } from './access.ts'
import type { ServiceBoard } from './board/board.ts'
import { buildInfo } from './build-info.ts'
import { probes } from './handler/probes.ts'
import {
  logAcceptError,
  logClientError,
  logConnectionLimit,
  logEvent,
  logHealth,
  logLifecycle,
  logListening,
  logStoreError,
} from './log-events.ts'
import type { Counts } from './metrics.ts'
import { createServer } from './server.ts'
import { createServiceLog } from './service-log.ts'

/** Composes the service. `start()` runs it and resolves with the exit code after the stop. */
export function createApp(settings: Settings, systemd: Systemd): { start(): Promise<0 | 1> } {
  const { current } = settings
  const config = current()
  const { version } = buildInfo
  const service = config.SERVICE_NAME ?? buildInfo.name
  const counts: Counts = { reloads: 0, failedReloads: 0, isCountingAlone: false }
  const context = createRequestContext()
  let board: ServiceBoard | undefined
  const { logger, droppedLines } = createServiceLog({
    level: config.LOG_LEVEL,
    bufferBytes: config.LOG_BUFFER,
    bufferMs: config.LOG_BUFFER_MS,
    service,
    version,
    context,
    onLine: (line) => board?.onLine(line),
  })

  function reload(): void {
    try {
      const changed = settings.reload()
      counts.reloads++
      logger.level = current().LOG_LEVEL
      logEvent(logger, 'info', 'settings reloaded', { 'App.settings.changed': changed })
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      counts.failedReloads++
      logEvent(logger, 'error', 'settings not reloaded', { 'error.message': error.problems.join('\n') })
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
  let admission: Admission | undefined
  const { server, drain, messages, handle } = createServer({
    ...timeouts,
    ownsSocket: fd === undefined,
    probe: probes({
      lifecycle,
      health,
      service,
      version,
      dialect: () => current().HEALTH_DIALECT,
      isBrownout: () => admission?.level().isBrownout,
    }),
    onClientError: logClientError(logger),
  })
  limitConnections({
    server,
    closeIdle: drain.closeIdle,
    reservedFiles: 128 + config.DATABASE_POOL_MAX,
    onEvent: logConnectionLimit(logger, 'http'),
  })

  // Optional modules are loaded only when the configuration enables them.
  const start = () =>
    lifecycle.run(async (use) => {
      await use({
        name: 'listener',
        async start() {
          await listen({ server, host: config.HOST, port: config.PORT, fd, reusePort: config.REUSE_PORT })
          server.on('error', logAcceptError(logger, 'http'))
          logListening(logger, 'listening', server.address())
        },
      })
      // Probes respond from here on. Each module loads in a separate turn, so that probes are served between modules.
      await setImmediate()
      const { createHttp } = await import('./http.ts')
      await setImmediate()
      const { listRoutes } = await import('./routes.ts')
      await setImmediate()
      const { HOST: host, ADMIN_PORT: port, REUSE_PORT: reusePort } = config
      const { startTelemetry } = await import('./telemetry.ts')
      const telemetry = await startTelemetry({
        ...{ service, version, counts, droppedLines, lifecycle, health, context, logger, use },
        admin: { ...timeouts, host, port, reusePort },
        hasBoard: config.NODE_ENV !== 'production' || config.FEATURES.includes('board'),
        exporter: describeExport(config),
      })
      const { metrics, tracing } = telemetry
      board = telemetry.board
      await setImmediate()

      // The HTTP server stops before the stores, so requests no longer use them: wait only briefly for a store that
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
              queueTimeoutMs: config.DATABASE_QUEUE_TIMEOUT_MS,
              priority: () => context.current()?.priority,
              statementTimeoutMs: config.DATABASE_STATEMENT_TIMEOUT_MS,
              idleTimeoutMs: config.DATABASE_IDLE_TIMEOUT_MS,
              prepare: config.DATABASE_PREPARE,
              onError: logStoreError(logger, 'database'),
              observer: metrics?.observeDatabase(),
              tracer: tracing?.database,
            })
      if (postgres) {
        await use({ name: 'database', stop: () => postgres.stop(), stopTimeoutMs })
        const check = postgresCheck({
          pool: postgres.checkPool,
          migrations: postgres.migrations,
          onUnknown: (migrations) =>
            logEvent(logger, 'warn', 'database has migrations of another build', { 'App.migrations': migrations }),
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
              onError: logStoreError(logger, 'redis'),
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
      const upstreams =
        config.UPSTREAMS.length === 0
          ? undefined
          : (await import('./upstreams.ts')).createUpstreams({
              upstreams: config.UPSTREAMS,
              timeoutMs: config.UPSTREAM_TIMEOUT_MS,
              concurrency: config.UPSTREAM_CONCURRENCY,
              requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
              open: () => current().UPSTREAM_OPEN,
              ...{ context, logger, health, board, sources: metrics?.sources, tracer: tracing?.tracer },
            })
      if (upstreams) await use(upstreams.part)
      if (config.REGISTRY !== undefined) {
        const { REGISTRY: registry, REGISTRY_PASSWORD: password, ADVERTISE: advertise } = config
        const listener = { address: () => server.address() }
        const { createDiscovery } = await import('./discovery.ts')
        const deps = { service, version, listener, lifecycle, health, logger, sources: metrics?.sources }
        await use(createDiscovery({ registry, password, advertise, ...deps }))
      }
      await use({ name: 'health', start: () => health.start(), stop: () => health.stop() })
      settings.watch(reload)

      const { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, SESSION_SECRET: secrets } = config
      let access: Access | undefined
      if (jwksUrl !== undefined && issuer !== undefined && audience !== undefined) {
        const { createAccess, createSessions } = await import('./access.ts')
        const { createFetch } = await import('#pkg/tracing/fetch.ts')
        const { outgoingHeaders } = context
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
        const fetch = createFetch({ outgoingHeaders, tracer: tracing?.tracer })
        access = createAccess({ jwksUrl, issuer, audience, fetch, ...(sessions && { sessions }) })
      }
      const resources = postgres
        ? (await import('./resources.ts')).listResources({
            ...{ db: postgres.db, settings: current },
            onError: (err) => logEvent(logger, 'warn', 'expired idempotency keys not deleted', { err }),
          })
        : []
      if (!postgres) logEvent(logger, 'info', 'resources off', { 'event.reason': 'DATABASE_URL is not set' })
      const { createRateLimit } = await import('./rate-limit.ts')
      const routes = listRoutes({
        settings: current,
        optional: [...(access?.routes ?? []), ...resources, ...(upstreams?.routes ?? [])],
        ...(access && { guard: access.guard }),
      })
      const app = createHttp({
        logger,
        context,
        messages,
        ...(metrics && { onRoute: metrics.http.bind }),
        ...(tracing && { tracing }),
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
        ...(upstreams && { deadline: upstreams.deadline }),
        routes,
      })
      const measure = metrics?.http.measure ?? ((listener) => listener)
      if (config.OVERLOAD_WAIT_MS > 0) {
        const { createOverload } = await import('./overload.ts')
        const brownout = () => current().BROWNOUT
        admission = createOverload({ handler: app, routes, maxWaitMs: config.OVERLOAD_WAIT_MS, brownout, logger })
        metrics?.observeAdmission(admission)
      }
      await use({
        name: 'http',
        // Measured outside of the admission, so that waits and refusals count.
        start: () => (admission ? handle(app, measure(admission.admit)) : handle(measure(app))),
        drain: () => drain.begin(),
        stop: (signal) => drain.close(signal),
      })
      const jobs =
        postgres &&
        (await (await import('./jobs.ts')).createJobs({ db: postgres.db, logger, sources: metrics?.sources }))
      if (jobs) await use(jobs)
      // From here on, most objects belong to one request.
      disablePretenuring()
      const onError = (err: Error) => logEvent(logger, 'warn', 'systemd not notified', { err })
      await use({ name: 'systemd', ...createNotifier({ ...systemd, onError }) })
    })

  return { start }
}
