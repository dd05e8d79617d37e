import { type Config, DEFAULT_ADMIN_PORT } from './env.ts'

const when = <Value, Group>(value: Value | undefined, group: (value: Value) => Group) =>
  value === undefined ? undefined : group(value)

/** Groups the variables as options of the modules that use them. The group of a module that is off is undefined. */
export function groupOptions(config: Config) {
  return {
    log: { level: config.LOG_LEVEL, bufferBytes: config.LOG_BUFFER, bufferMs: config.LOG_BUFFER_MS },
    stop: { drainDelayMs: config.DRAIN_DELAY_MS, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
    address: { host: config.HOST, reusePort: config.REUSE_PORT },
    admin: { port: config.ADMIN_PORT ?? DEFAULT_ADMIN_PORT, canMove: config.ADMIN_PORT === undefined },
    timeouts: {
      headersTimeoutMs: config.HEADERS_TIMEOUT_MS,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: config.KEEP_ALIVE_TIMEOUT_MS,
      socketTimeoutMs: config.SOCKET_TIMEOUT_MS,
    },
    exporter: groupExporter(config),
    database: when(config.DATABASE_URL, (url) => ({
      url,
      poolMax: config.DATABASE_POOL_MAX,
      connectTimeoutMs: config.DATABASE_CONNECT_TIMEOUT_MS,
      queueTimeoutMs: config.DATABASE_QUEUE_TIMEOUT_MS,
      statementTimeoutMs: config.DATABASE_STATEMENT_TIMEOUT_MS,
      idleTimeoutMs: config.DATABASE_IDLE_TIMEOUT_MS,
      prepare: config.DATABASE_PREPARE,
    })),
    redis: when(config.REDIS_URL, (url) => ({ url, connectTimeoutMs: config.REDIS_CONNECT_TIMEOUT_MS })),
    upstreams: when(config.UPSTREAMS.length > 0 ? config.UPSTREAMS : undefined, (upstreams) => ({
      upstreams,
      timeoutMs: config.UPSTREAM_TIMEOUT_MS,
      concurrency: config.UPSTREAM_CONCURRENCY,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    })),
    discovery: when(config.REGISTRY, (registry) => ({
      registry,
      password: config.REGISTRY_PASSWORD,
      advertise: config.ADVERTISE,
    })),
    access: groupAccess(config),
    http: {
      trustProxy: config.TRUST_PROXY,
      bodyLimitBytes: config.BODY_LIMIT,
      // Without sessions a browser has no cookie to send.
      cors: config.CORS_ORIGINS && { origins: config.CORS_ORIGINS, credentials: config.SESSION_SECRET !== undefined },
    },
  }
}

function groupExporter(config: Config) {
  const base = config.OTEL_EXPORTER_OTLP_ENDPOINT
  const url = config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base && `${base.replace(/\/+$/, '')}/v1/traces`)
  if (url === undefined || config.OTEL_SDK_DISABLED) return undefined
  const { OTEL_SERVICE_NAME: name, OTEL_RESOURCE_ATTRIBUTES: attributes } = config
  return {
    url,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    timeoutMs: config.OTEL_EXPORTER_OTLP_TIMEOUT,
    resource: { ...attributes, ...(name !== undefined && { 'service.name': name }) },
    scheduleDelayMs: config.OTEL_BSP_SCHEDULE_DELAY,
    exportTimeoutMs: config.OTEL_BSP_EXPORT_TIMEOUT,
    maxQueueSize: config.OTEL_BSP_MAX_QUEUE_SIZE,
    maxBatchSize: config.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    sampler: { name: config.OTEL_TRACES_SAMPLER, ratio: config.OTEL_TRACES_SAMPLER_ARG },
  }
}

function groupAccess(config: Config) {
  const { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, SESSION_SECRET: secrets } = config
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined
  const secure = config.NODE_ENV === 'production'
  const sessions = secrets && { secrets, secure, ttlMs: config.SESSION_TTL_MS, origins: config.CORS_ORIGINS ?? [] }
  return { jwksUrl, issuer, audience, sessions }
}
