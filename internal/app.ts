import { setImmediate } from 'node:timers/promises'
import { ConfigError } from '#config/load.ts'
import { groupOptions } from '#config/options.ts'
import type { Settings } from '#config/settings.ts'
import { createHealth } from '#pkg/health/index.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLifecycle } from '#pkg/lifecycle/index.ts'
import type { Admission } from '#pkg/overload/index.ts'
import { createNotifier, type Systemd } from '#pkg/systemd.ts'
import { buildInfo } from './build-info.ts'
import { probes } from './handler/probes.ts'
import { createListener } from './server.ts'
import type { ServiceBoard } from './telemetry/board/board.ts'
import {
  logClientError,
  logEvent,
  logHealth,
  logLifecycle,
  logStoreError,
  logUnknownMigrations,
} from './telemetry/log-events.ts'
import type { Counts } from './telemetry/metrics.ts'
import { createServiceLog } from './telemetry/service-log.ts'

/** Composes the service. `start()` runs it and resolves with the exit code after the stop. */
export function createApp(settings: Settings, systemd: Systemd): { start(): Promise<0 | 1> } {
  const { current } = settings
  const config = current()
  const options = groupOptions(config)
  const { version } = buildInfo
  const service = config.SERVICE_NAME ?? buildInfo.name
  const counts: Counts = { reloads: 0, failedReloads: 0, isCountingAlone: false }
  const context = createRequestContext()
  let board: ServiceBoard | undefined
  let admission: Admission | undefined

  const onLine = (line: string) => board?.onLine(line)
  const { logger, droppedLines } = createServiceLog({ ...options.log, service, version, context, onLine })

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

  const lifecycle = createLifecycle({ ...options.stop, process, reload, onEvent: logLifecycle(logger) })
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
  const http = createListener({
    ...options.timeouts,
    name: 'http',
    logger,
    ownsSocket: fd === undefined,
    reservedFiles: 128 + config.DATABASE_POOL_MAX,
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
  const common = { service, version, context, logger, lifecycle, health }

  // A stop reverses the order of the start. Only the modules that the configuration enables are loaded.
  const start = () =>
    lifecycle.run(async (use) => {
      const address = { ...options.address, port: config.PORT, fd }
      await use({ name: 'listener', start: () => http.listen(address), stop: http.abandon })
      // Probes respond from here on. The modules load in separate turns of the event loop, so probes do not wait.
      await setImmediate()
      const { startTelemetry } = await import('./telemetry/telemetry.ts')
      const telemetry = await startTelemetry({
        ...common,
        counts,
        droppedLines,
        use,
        admin: { ...options.timeouts, ...options.address, ...options.admin },
        hasBoard: config.NODE_ENV !== 'production' || config.FEATURES.includes('board'),
        exporter: options.exporter,
      })
      board = telemetry.board
      const { metrics, tracing } = telemetry
      const sources = metrics?.sources
      const tracer = tracing?.tracer
      await setImmediate()

      // The stores stop after the last request, so the stop waits only a second for a store that hangs.
      const stopTimeoutMs = 1_000
      const postgres =
        options.database &&
        (await import('./store/postgres.ts')).createPostgres({
          ...options.database,
          applicationName: service,
          priority: () => context.current()?.priority,
          onError: logStoreError(logger, 'database'),
          onUnknownMigrations: logUnknownMigrations(logger),
          observer: metrics?.observeDatabase(),
          tracer: tracing?.database,
        })
      if (postgres) {
        await use({ name: 'database', stop: postgres.stop, stopTimeoutMs })
        health.watch({ name: 'database', check: postgres.check, critical: () => current().DATABASE_CRITICAL })
      }
      await setImmediate()
      const redis =
        options.redis &&
        (await import('./store/redis.ts')).createRedis({
          ...options.redis,
          clientName: service,
          onError: logStoreError(logger, 'redis'),
          observe: metrics?.observeRedis,
        })
      if (redis) {
        await use({ name: 'redis', start: redis.start, stop: redis.stop, stopTimeoutMs })
        health.watch({ name: 'redis', check: redis.ping, critical: () => current().REDIS_CRITICAL })
      }
      if (config.HEALTH_CHECKS.length > 0) {
        const { createHeartbeat } = await import('#pkg/health/checks/heartbeat.ts')
        for (const { name, target } of config.HEALTH_CHECKS) {
          const critical = () => current().HEALTH_CRITICAL.includes(name)
          health.watch({ name, check: createHeartbeat(target), critical })
        }
      }
      const upstreams =
        options.upstreams &&
        (await import('./upstreams.ts')).createUpstreams({
          ...common,
          ...options.upstreams,
          open: () => current().UPSTREAM_OPEN,
          board,
          sources,
          tracer,
        })
      if (upstreams) await use(upstreams.part)
      if (options.discovery) {
        const { createDiscovery } = await import('./discovery.ts')
        await use(createDiscovery({ ...common, ...options.discovery, listener: http.server, sources }))
      }
      // The checks connect while the modules of the requests are loaded.
      await use({ name: 'health', start: health.start, stop: health.stop })
      settings.watch(reload)
      await setImmediate()

      const access =
        options.access &&
        (await (await import('./access.ts')).createAccess({ ...common, ...options.access, redis, tracer }))
      const resources = postgres
        ? (await import('./resources.ts')).listResources({
            db: postgres.db,
            settings: current,
            onError: (err) => logEvent(logger, 'warn', 'expired idempotency keys not deleted', { err }),
          })
        : []
      if (!postgres) logEvent(logger, 'info', 'resources off', { 'event.reason': 'DATABASE_URL is not set' })
      const { listRoutes } = await import('./routes.ts')
      const routes = listRoutes({
        settings: current,
        optional: [...(access?.routes ?? []), ...resources, ...(upstreams?.routes ?? [])],
        guard: access?.guard,
      })
      await setImmediate()
      const { createRateLimit } = await import('./rate-limit.ts')
      const { createHttp } = await import('./http.ts')
      const app = createHttp({
        ...common,
        ...options.http,
        messages: http.messages,
        tracing,
        routes,
        onRoute: metrics?.http.bind,
        rateLimit: createRateLimit({ ...common, redis, counts, perMinute: () => current().RATE_LIMIT }),
        guard: access?.authenticate,
        deadline: upstreams?.deadline,
      })
      if (config.OVERLOAD_WAIT_MS > 0) {
        const { createOverload } = await import('./overload.ts')
        admission = createOverload({
          handler: app,
          routes,
          maxWaitMs: config.OVERLOAD_WAIT_MS,
          brownout: () => current().BROWNOUT,
          logger,
        })
        metrics?.observeAdmission(admission)
      }
      // Measured outside of the admission, so that waits and refusals count.
      const measure = metrics?.http.measure ?? ((listener) => listener)
      await use({
        name: 'http',
        start: () => (admission ? http.handle(app, measure(admission.admit)) : http.handle(measure(app))),
        drain: http.drain.begin,
        stop: http.drain.close,
      })
      if (postgres) {
        const { createJobs } = await import('./jobs.ts')
        await use(await createJobs({ db: postgres.db, logger, sources }))
      }
      // From here on, most objects belong to one request.
      const { disablePretenuring } = await import('#pkg/fast-path/pretenuring.ts')
      disablePretenuring()
      const onError = (err: Error) => logEvent(logger, 'warn', 'systemd not notified', { err })
      await use({ name: 'systemd', ...createNotifier({ ...systemd, onError }) })
    })

  return { start }
}
