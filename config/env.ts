import type * as z from 'zod'
import { bridgeVariables } from './bridge-variables.ts'
import {
  boolean,
  byteSize,
  heartbeats,
  integer,
  list,
  milliseconds,
  namesOrNone,
  oneOf,
  origins,
  pairs,
  publicUrl,
  ratio,
  text,
  trustProxy,
  url,
} from './formats.ts'
import { findRegistryContradictions, registryVariables } from './registry.ts'
import { responderVariables } from './responder-variables.ts'
import { upstreamVariables } from './upstreams.ts'

/** Accepts the headers that Node can send. */
const isHeader = (name: string, value: string) =>
  /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value)

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

const isLongSecret = (text: string) => text.length >= 32

/** The default of ADMIN_PORT: the port of OpenTelemetry's exporter for Prometheus. */
export const DEFAULT_ADMIN_PORT = 9464

/** Every variable that the service reads, with its format and its default, in the order of .env.example. */
export const schema = {
  SERVICE_NAME: text(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens, at most 63').optional(),
  NODE_ENV: oneOf(['production', 'development', 'test']).default('production'),

  HOST: text(/^[A-Za-z0-9.:_-]{1,253}$/, 'an address or a host name to listen on').default('0.0.0.0'),
  PORT: integer(0, 65_535).default(8080),
  ADMIN_PORT: integer(0, 65_535).optional(),
  LISTEN_FD: integer(3, 1023).optional(),
  REUSE_PORT: boolean().default(false),
  TRUST_PROXY: trustProxy().default(0),
  BODY_LIMIT: byteSize(64).default(100 * 1024),
  RATE_LIMIT: integer(0, 1_000_000, 'requests a minute').default(0),
  CORS_ORIGINS: origins().optional(),
  AUTH_JWKS_URL: publicUrl(['https:', 'http:'], 'https://issuer.example.com/jwks.json').optional(),
  AUTH_ISSUER: text(/^\S{1,1000}$/, 'the text of the claim iss').optional(),
  AUTH_AUDIENCE: text(/^\S{1,1000}$/, 'the text of the claim aud').optional(),
  SESSION_SECRET: list('texts of at least 32 characters, separated by commas', isLongSecret).optional(),
  SESSION_TTL_MS: milliseconds(1_000, 31 * 24 * 3_600_000).default(8 * 3_600_000),
  HEADERS_TIMEOUT_MS: milliseconds(100, 600_000).default(10_000),
  REQUEST_TIMEOUT_MS: milliseconds(100, 3_600_000).default(15_000),
  KEEP_ALIVE_TIMEOUT_MS: milliseconds(100, 3_600_000).default(75_000),
  SOCKET_TIMEOUT_MS: milliseconds(100, 3_600_000).default(120_000),

  OVERLOAD_WAIT_MS: milliseconds(0, 10_000).default(0),
  BROWNOUT: oneOf(['auto', 'on', 'off']).default('auto'),

  LOG_LEVEL: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  LOG_BUFFER: byteSize(1).default(4096),
  LOG_BUFFER_MS: milliseconds(1, 60_000).default(100),

  DATABASE_URL: url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/name').optional(),
  DATABASE_CRITICAL: boolean().default(true),
  DATABASE_POOL_MAX: integer(1, 1000, 'connections').default(10),
  DATABASE_CONNECT_TIMEOUT_MS: milliseconds(100, 60_000).default(3_000),
  DATABASE_QUEUE_TIMEOUT_MS: milliseconds(1, 60_000).default(250),
  DATABASE_STATEMENT_TIMEOUT_MS: milliseconds(100, 3_600_000).default(10_000),
  DATABASE_IDLE_TIMEOUT_MS: milliseconds(100, 3_600_000).default(30_000),
  DATABASE_PREPARE: boolean().optional(),
  MIGRATION_DATABASE_URL: url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/name').optional(),

  REDIS_URL: url(['redis:', 'rediss:'], 'redis://:password@host:6379/0', /^\/?\d*$/).optional(),
  REDIS_CRITICAL: boolean().default(true),
  REDIS_CONNECT_TIMEOUT_MS: milliseconds(100, 60_000).default(3_000),

  ...upstreamVariables,

  ...registryVariables,

  ...bridgeVariables,

  OTEL_SDK_DISABLED: boolean().default(false),
  OTEL_EXPORTER_OTLP_ENDPOINT: publicUrl(['http:', 'https:'], 'http://collector:4318').optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: publicUrl(['http:', 'https:'], 'http://collector:4318/v1/traces').optional(),
  OTEL_EXPORTER_OTLP_HEADERS: pairs('headers', isHeader).optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(['http/json']).default('http/json'),
  OTEL_EXPORTER_OTLP_TIMEOUT: milliseconds(100, 600_000).default(10_000),
  OTEL_SERVICE_NAME: text(/^\S.{0,254}$/, 'at most 255 characters').optional(),
  OTEL_RESOURCE_ATTRIBUTES: pairs('attributes', (name) => name !== '').default({}),
  OTEL_TRACES_SAMPLER: oneOf(SAMPLERS).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: ratio().default(1),
  OTEL_BSP_SCHEDULE_DELAY: milliseconds(1, 600_000).default(5_000),
  OTEL_BSP_EXPORT_TIMEOUT: milliseconds(100, 600_000).default(30_000),
  OTEL_BSP_MAX_QUEUE_SIZE: integer(1, 100_000, 'spans').default(2_048),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: integer(1, 100_000, 'spans').default(512),

  HEALTH_INTERVAL_MS: milliseconds(100, 300_000).default(2_000),
  HEALTH_TIMEOUT_MS: milliseconds(50, 60_000).default(1_000),
  HEALTH_FALL: integer(1, 100, 'failures').default(2),
  HEALTH_RISE: integer(1, 100, 'successes').default(1),
  HEALTH_CHECKS: heartbeats().default([]),
  HEALTH_CRITICAL: list('names separated by commas').default([]),
  HEALTH_DIALECT: oneOf(['standard', 'haproxy', 'envoy', 'consul']).default('standard'),

  /** The optional features. Remove a feature from the list when it is always on. */
  FEATURES: namesOrNone(['board', 'docs', 'version'], 'features').default(['docs']),
  SETTINGS_FILE: text(/^\/.{1,4096}$/, 'an absolute path').optional(),

  ...responderVariables,

  DRAIN_DELAY_MS: milliseconds(0, 600_000).default(5_000),
  SHUTDOWN_TIMEOUT_MS: milliseconds(100, 3_600_000).default(25_000),
} satisfies Record<string, z.ZodType<unknown, string | undefined>>

export type Name = keyof typeof schema
export type Config = { readonly [K in Name]: z.output<(typeof schema)[K]> }

/** Secrets. The output never shows their values. Each may come from a file instead, whose path is in `X_FILE`. */
export const SECRETS: ReadonlySet<string> = new Set<Name>([
  'DATABASE_URL',
  'MIGRATION_DATABASE_URL',
  'REDIS_URL',
  'REGISTRY_PASSWORD',
  'SESSION_SECRET',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'RESPONDER_SECRET',
  'RESPONDER_WECOM_URL',
])

/** Variables that SETTINGS_FILE may hold, because their values may change while the service runs. */
export const RELOADABLE: ReadonlySet<string> = new Set<Name>([
  'LOG_LEVEL',
  'RATE_LIMIT',
  'BROWNOUT',
  'FEATURES',
  'DATABASE_CRITICAL',
  'REDIS_CRITICAL',
  'UPSTREAM_OPEN',
  'HEALTH_INTERVAL_MS',
  'HEALTH_TIMEOUT_MS',
  'HEALTH_FALL',
  'HEALTH_RISE',
  'HEALTH_CRITICAL',
  'HEALTH_DIALECT',
])

export interface Problem {
  readonly name: string
  /** Completes the sentence "expected …". */
  readonly expected: string
}

/** Passwords of examples and images. Attackers try them first. */
const PLACEHOLDERS = new Set(['changeme', 'change-me', 'password', 'secret', 'example', 'postgres', 'redis', 'admin'])

/**
 * Checks the rules between variables. Skips a rule when one of its variables is absent from `config`, because its value
 * is invalid: a comparison with NaN is false.
 */
export function findContradictions(config: Partial<Config>): Problem[] {
  const problems: Problem[] = []
  const reject = (name: Name, expected: string, isWrong: boolean | undefined) => {
    if (isWrong) problems.push({ name, expected })
  }
  const isUnset = (name: Name) => name in config && config[name] === undefined

  // Without REUSE_PORT, the second listener finds its port taken.
  const { ADMIN_PORT: admin = 'ADMIN_PORT' in config ? DEFAULT_ADMIN_PORT : Number.NaN, REUSE_PORT: isShared } = config
  reject(
    'PORT',
    `a port other than ADMIN_PORT (${admin}), because REUSE_PORT would let both share it`,
    isShared && admin !== 0 && admin === config.PORT,
  )
  const { HEADERS_TIMEOUT_MS: headers = Number.NaN, REQUEST_TIMEOUT_MS: request = Number.NaN } = config
  // The headers are a part of the request, so Node throws for such values.
  reject('HEADERS_TIMEOUT_MS', `at most REQUEST_TIMEOUT_MS (${request})`, headers > request)
  const { DRAIN_DELAY_MS: delay = Number.NaN, SHUTDOWN_TIMEOUT_MS: shutdown = Number.NaN } = config
  reject('SHUTDOWN_TIMEOUT_MS', `more than DRAIN_DELAY_MS (${delay}), which it includes`, shutdown <= delay)
  const { HEALTH_INTERVAL_MS: interval = Number.NaN, HEALTH_TIMEOUT_MS: timeout = Number.NaN } = config
  // This bounds the time to detect a dependency that hangs: HEALTH_FALL × HEALTH_INTERVAL_MS + HEALTH_TIMEOUT_MS.
  reject('HEALTH_TIMEOUT_MS', `at most HEALTH_INTERVAL_MS (${interval})`, timeout > interval)

  const { OTEL_BSP_MAX_QUEUE_SIZE: queue = Number.NaN, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: batch = Number.NaN } = config
  reject('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', `at most OTEL_BSP_MAX_QUEUE_SIZE (${queue})`, batch > queue)
  const isUnprotected = config.OVERLOAD_WAIT_MS === 0
  reject('BROWNOUT', 'auto, unless OVERLOAD_WAIT_MS is set', isUnprotected && (config.BROWNOUT ?? 'auto') !== 'auto')

  const checks = config.HEALTH_CHECKS?.map(({ name }) => name)
  reject(
    'HEALTH_CRITICAL',
    `names from HEALTH_CHECKS (${checks?.join(', ') || 'which has none'})`,
    checks && config.HEALTH_CRITICAL?.some((name) => !checks.includes(name)),
  )
  const upstreams = config.UPSTREAMS?.map(({ name }) => name)
  reject(
    'UPSTREAM_OPEN',
    `names from UPSTREAMS (${upstreams?.join(', ') || 'which has none'})`,
    upstreams && config.UPSTREAM_OPEN?.some((name) => !upstreams.includes(name)),
  )
  problems.push(...findRegistryContradictions(config))
  const AUTH = ['AUTH_JWKS_URL', 'AUTH_ISSUER', 'AUTH_AUDIENCE'] as const
  for (const name of AUTH) {
    reject(name, `${AUTH.join(', ')}: all of them or none`, config[name] !== undefined && AUTH.some(isUnset))
  }
  const hasSessions = config.SESSION_SECRET !== undefined
  // A client starts a session with a bearer token, and Redis shares it between instances.
  const lacks = isUnset('REDIS_URL') || isUnset('AUTH_JWKS_URL')
  reject('SESSION_SECRET', 'REDIS_URL and AUTH_JWKS_URL to be set too', hasSessions && lacks)
  const isAnyOrigin = config.CORS_ORIGINS?.includes('*')
  reject('CORS_ORIGINS', 'exact origins, because SESSION_SECRET is set', hasSessions && isAnyOrigin)

  if (config.NODE_ENV !== 'production') return problems
  const { protocol, hostname = '' } = URL.parse(config.AUTH_JWKS_URL ?? '') ?? {}
  reject(
    'AUTH_JWKS_URL',
    'https in production, because an attacker who replaces the keys can impersonate every user',
    protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname),
  )
  for (const name of ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'REDIS_URL'] as const) {
    const password = URL.parse(config[name] ?? '')?.password.toLowerCase() ?? ''
    reject(name, 'a password in production that is not a well-known placeholder', PLACEHOLDERS.has(password))
  }
  return problems
}
