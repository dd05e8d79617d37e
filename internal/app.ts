import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Config } from '#config/env.ts'
import { ConfigError } from '#config/load.ts'
import type { Settings } from '#config/settings.ts'
import type { Snapshot } from '#pkg/health/index.ts'
import {
  createHttpDrain,
  createLifecycle,
  type HttpDrain,
  type Lifecycle,
  limitConnections,
  listen,
  type Part,
} from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Systemd } from '#pkg/systemd/index.ts'
import {
  answerClientErrors,
  answerProblem,
  type Counter,
  createRequestContext,
  localCounter,
  type Route,
  requestTarget,
  sharedCounter,
} from '#pkg/web/index.ts'
import type { Access } from './access.ts'
import { buildInfo } from './build-info.ts'
import { probes } from './handler/probes.ts'
import {
  createHealthOf,
  createServiceLogger,
  createStores,
  healthPart,
  logLifecycle,
  reloadOf,
  type Stores,
  serviceName,
  settingsPart,
  storeParts,
  systemdPart,
} from './parts.ts'
import { createHttpApp, createHttpServer } from './server.ts'

/** What a process that shares its port with others is told of the whole service. */
export interface ServiceLink {
  /** What the primary's checks have found. */
  snapshot(): Snapshot
  /** Whether the service goes on when this process ends. */
  retired(): boolean
  /** Resolves when this process may end. */
  leave(): Promise<void>
  /** Calls `listener` when this process is ending and is to do so without a delay. */
  onHurry(listener: () => void): void
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
  const logger = createServiceLogger(config, (fields) => {
    const id = 'reqId' in fields ? undefined : context.requestId()
    return id === undefined ? undefined : { reqId: id }
  })
  const reload = reloadOf(settings, logger)
  const stores = await createStores(config, service, logger)
  // One answer for the service, not one for each process that shares the port.
  const health = link ?? createHealthOf(settings, stores, logger)
  const access = await createAccessOf(config, stores, service)
  const { app, messages } = createHttpApp({
    logger,
    context,
    trustProxy: config.TRUST_PROXY,
    bodyLimitBytes: config.BODY_LIMIT,
    ...(config.CORS_ORIGINS && {
      // A browser sends no cookie where there are none.
      cors: { origins: config.CORS_ORIGINS, credentials: config.SESSION_SECRET !== undefined },
    }),
    ...(access && { access }),
    rateLimitPerMinute: () => settings.current().RATE_LIMIT,
    countRequest: await createCounter(stores, service, logger),
    isOn: (feature) => settings.current().FEATURES.includes(feature),
    resources: await resourcesOf(config, service, stores),
  })

  const server = createHttpServer(
    {
      headersTimeoutMs: config.HEADERS_TIMEOUT_MS,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
      socketTimeoutMs: config.SOCKET_TIMEOUT_MS,
    },
    messages,
    (request, response) => {
      if (!drain.track(request, response)) return
      const target = requestTarget(request.url ?? '')
      if (target === undefined) return answerProblem(response, 'bad_request')
      request.url = target
      if (probe(request, response)) return
      // Behind all that came in this turn of the event loop, so that a probe among it waits for no handler.
      setImmediate(() => app(request, response))
    },
  )
  const fd = config.LISTEN_FD ?? systemd.listenFd
  const drain = createHttpDrain({ server, ownsSocket: fd === undefined && link === undefined })
  limitConnections({
    server,
    closeIdle: drain.closeIdle,
    reservedFiles: 64 + config.DATABASE_POOL_MAX,
    onEvent: ({ type, ...fields }) => logger.warn(fields, type),
  })
  answerClientErrors({
    server,
    responseOn: drain.responseOn,
    onEvent: (event) => logger.info(event, 'request not understood'),
  })

  const lifecycle = createLifecycle({
    parts: [
      ...(link ? [{ name: 'primary', stop: () => link.leave(), stopTimeoutMs: 1_000 }] : []),
      ...storeParts(stores),
      settingsPart(settings, reload),
      ...('start' in health ? [healthPart(health)] : []),
      httpPart(config, fd, link !== undefined, server, drain, logger),
      systemdPart(systemd, logger),
    ],
    drainDelayMs: config.DRAIN_DELAY_MS,
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS,
    onEvent: logLifecycle(logger),
  })
  link?.onHurry(() => void lifecycle.stop({ delayMs: 0 }))
  const probe = probes({
    lifecycle: { phase: () => (link?.retired() ? 'serving' : lifecycle.phase()) },
    health,
    service,
    version: buildInfo.version,
    dialect: () => settings.current().HEALTH_DIALECT,
  })

  return { lifecycle, logger, reload }
}

async function resourcesOf(config: Config, service: string, { postgres, redis }: Stores): Promise<Route[]> {
  if (postgres === undefined) return []
  const { resources } = await import('./resources.ts')
  // One statement is the longest that a request with a lock waits for, after a connection; twice that is surely over.
  const lockMs = 2 * (config.DATABASE_CONNECT_TIMEOUT_MS + config.DATABASE_STATEMENT_TIMEOUT_MS)
  return resources({ db: postgres.db, redis, service, lockMs })
}

/** Brings the database up to this version; resolves with the names of the migrations that were applied. */
export async function migrateDatabase(config: Config): Promise<readonly string[]> {
  const { DATABASE_URL: url } = config
  if (url === undefined) throw new ConfigError(['DATABASE_URL: got nothing, expected the database to migrate'])
  const [{ createPostgres }, { migrate }] = await Promise.all([
    import('./store/postgres.ts'),
    import('./store/migrate.ts'),
  ])
  const postgres = createPostgres({
    url,
    applicationName: `${serviceName(config)} migrate`,
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

/** With Redis the processes of the service count requests together, and each for itself while it is away. */
async function createCounter({ redis }: Stores, service: string, logger: Logger): Promise<Counter> {
  const local = localCounter()
  if (redis === undefined) return local
  const { rateCounts } = await import('./store/rate-counts.ts')
  return sharedCounter({
    shared: rateCounts({ redis, service }),
    local,
    onEvent: (event) => {
      if (event.type === 'counting alone') logger.warn({ err: event.error }, 'rate limit counted alone')
      else logger.info('rate limit counted together')
    },
  })
}

async function createAccessOf(config: Config, { redis }: Stores, service: string): Promise<Access | undefined> {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, SESSION_SECRET: secrets } = config
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined
  const { createAccess } = await import('./access.ts')
  if (secrets === undefined || redis === undefined) return createAccess({ jwksUrl, issuer, audience })
  const { SESSION_TTL_MS: ttlMs, CORS_ORIGINS: origins = [] } = config
  const sessions = { redis, service, secrets, ttlMs, origins, secure: config.NODE_ENV === 'production' }
  return createAccess({ jwksUrl, issuer, audience, sessions })
}

function httpPart(
  { HOST: host, PORT: port, REUSE_PORT: reusePort }: Config,
  fd: number | undefined,
  isWorker: boolean,
  server: Server,
  drain: HttpDrain,
  logger: Logger,
): Part {
  return {
    name: 'http',
    async start() {
      // The primary opens the port of workers, which knows no bound sockets.
      if (isWorker && fd === undefined) await once(server.listen({ host, port }), 'listening')
      else await listen({ server, host, port, fd, reusePort })
      // From now on errors are of one connection, such as too many open files.
      server.on('error', (err) => logger.error({ err }, 'connection not accepted'))
      logger.info(server.address(), 'listening')
    },
    drain: () => drain.begin(),
    stop: (signal) => drain.close(signal),
  }
}
