import { BlockList, isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import * as z from 'zod/mini'

/*
 * Every variable that the service reads, with its default and what it accepts. What `parsed` is told
 * completes the sentence «expected …»; load.ts adds the name and what was given.
 */

/** How the text of a variable becomes its value. */
interface Format<T> {
  readonly expected: string
  /** undefined for a text that is not one. */
  parse(text: string): T | undefined
}

/** One schema for each variable and no more: a start makes all of them (docs/performance.md). */
const variable = <T, Unset extends T | undefined>({ expected, parse }: Format<T>, unset: Unset) =>
  z.transform((text: string | undefined, { issues }): T | Unset => {
    if (text === undefined) return unset
    const value = parse(text)
    if (value !== undefined) return value
    issues.push({ code: 'custom', message: expected, input: text })
    return z.NEVER
  })

const optional = <T>(format: Format<T>) => variable(format, undefined)

const withDefault = <T>(format: Format<T>, value: NoInfer<T>) => variable<T, T>(format, value)

const parsed = <T>(expected: string, parse: (text: string) => T | undefined): Format<T> => ({ expected, parse })

const oneOf = <const T extends string>(values: readonly T[]) =>
  parsed(`one of ${values.join(', ')}`, (text) => values.find((value) => value === text))

const text = (expected: string, pattern: RegExp) => parsed(expected, (text) => (pattern.test(text) ? text : undefined))

/** Digits only: no sign, no exponent, no white space, so nothing is rounded or guessed. */
function within(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}

const integer = (min: number, max: number, unit = '') =>
  parsed(`an integer from ${min} to ${max}${unit && ` ${unit}`}`, (text) => within(text, min, max))

const absolutePath = () => text('an absolute path', /^\/.{1,4096}$/)

const milliseconds = (min: number, max: number) => integer(min, max, 'milliseconds')

const boolean = () =>
  parsed('one of true, false', (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined))

/** The drivers decode what is percent-encoded, and fail in their own words where it cannot be. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const url = (protocols: readonly string[], example: string, path = /^/) =>
  parsed(`a URL such as ${example}`, (text) => {
    const url = URL.parse(text)
    if (url === null || !protocols.includes(url.protocol) || url.hostname === '') return undefined
    // A password with a slash that is not encoded ends the host early, and the rest of it would be shown as a path.
    if (url.pathname.includes('@')) return undefined
    return path.test(url.pathname) && isDecodable(url.username + url.password + url.pathname) ? text : undefined
  })

const UNITS = { b: 1, kb: 1024, mb: 1024 ** 2 }

/** `100`, `100b`, `64kb` or `1mb` to bytes, binary units as the body parsers count them. */
const byteSize = (maxMegabytes: number) =>
  parsed(`a size from 1b to ${maxMegabytes}mb, such as 100kb`, (text) => {
    const [, amount, unit = 'b'] = /^(\d{1,9})(b|kb|mb)?$/.exec(text) ?? []
    const bytes = Number(amount) * UNITS[unit as keyof typeof UNITS]
    return bytes >= 1 && bytes <= maxMegabytes * UNITS.mb ? bytes : undefined
  })

const NAMED_RANGES = ['loopback', 'linklocal', 'uniquelocal']

function isAddressRange(value: string): boolean {
  if (NAMED_RANGES.includes(value)) return true
  const [address = '', prefix, ...rest] = value.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix)) return false
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    // A range of nearly every address trusts every client, which is `true` by another name.
    return Number(prefix) >= (family === 4 ? 8 : address.toLowerCase().startsWith('::ffff:') ? 104 : 7)
  } catch {
    return false
  }
}

/** A number of proxies, or the addresses they come from. Never `true`: that lets any client name its own address. */
const trustProxy = () =>
  parsed<number | readonly string[]>(
    `a number of proxies from 0 to 10, or addresses, CIDR ranges or ${NAMED_RANGES.join(', ')}, separated by commas`,
    (text) => {
      const ranges = text.split(',').map((range) => range.trim())
      return within(text, 0, 10) ?? (ranges.every(isAddressRange) ? ranges : undefined)
    },
  )

/** What a heartbeat of HEALTH_CHECKS looks at. */
export type HeartbeatTarget =
  | { readonly type: 'http'; readonly url: string }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'command'; readonly file: string; readonly args: readonly string[] }

export interface Heartbeat {
  readonly name: string
  readonly target: HeartbeatTarget
}

function heartbeatTarget(value: string): HeartbeatTarget | undefined {
  if (value.startsWith('command:')) {
    const [file = '', ...args] = value.slice('command:'.length).trim().split(/\s+/)
    return file.startsWith('/') ? { type: 'command', file, args } : undefined
  }
  const parsed = URL.parse(value)
  if (parsed === null || parsed.hostname === '') return undefined
  // The target is shown by `app config`, so it is no place for credentials.
  if (parsed.username !== '' || parsed.password !== '') return undefined
  if (parsed.protocol === 'http:' || parsed.protocol === 'https:') return { type: 'http', url: value }
  const port = Number(parsed.port)
  if (parsed.protocol !== 'tcp:' || port === 0 || parsed.pathname + parsed.search !== '') return undefined
  return { type: 'tcp', host: parsed.hostname.replace(/^\[|\]$/g, ''), port }
}

/** Names of the stores' own checks, which a heartbeat cannot take. */
const RESERVED_CHECKS = ['database', 'redis']

const heartbeats = () =>
  parsed(
    'name=target pairs separated by commas, each name once and none of database, redis; a target is http(s)://…, tcp://host:port or command:/path arguments',
    (text): readonly Heartbeat[] | undefined => {
      const seen = new Set(RESERVED_CHECKS)
      const checks = text.split(',').map((entry) => {
        const [, name = '', rest = ''] = /^\s*([a-z][a-z0-9-]{0,31})=(.*\S)\s*$/.exec(entry) ?? []
        const target = heartbeatTarget(rest)
        if (name === '' || seen.has(name) || target === undefined) return undefined
        seen.add(name)
        return { name, target }
      })
      return checks.every((check) => check !== undefined) ? checks : undefined
    },
  )

/** A number of processes, or one for each processor. */
const workers = () =>
  parsed('an integer from 1 to 128 workers, or auto', (text) =>
    text === 'auto' ? Math.min(availableParallelism(), 128) : within(text, 1, 128),
  )

const namesIn = (text: string): readonly string[] => (text === '' ? [] : text.split(',').map((name) => name.trim()))

const names = () => parsed('names separated by commas', namesIn)

/** As browsers write them, which is how they are compared. */
const origins = () =>
  parsed(
    'origins such as https://app.example.com, in lower case and without a path, separated by commas, or *',
    (text): readonly string[] | undefined => {
      const origins = namesIn(text)
      const isOrigin = (text: string) => /^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text
      return text === '*' || origins.every(isOrigin) ? origins : undefined
    },
  )

const secrets = () =>
  parsed('texts of at least 32 characters, separated by commas', (text): readonly string[] | undefined => {
    const secrets = namesIn(text)
    return secrets.every((secret) => secret.length >= 32) ? secrets : undefined
  })

/** What may be switched on and off while the service runs. Each goes when its time has come. */
const FEATURES = ['docs', 'version'] as const
type Feature = (typeof FEATURES)[number]

const features = () =>
  parsed(`none, or names of features (${FEATURES.join(', ')})`, (text): readonly Feature[] | undefined => {
    // An empty value is an unset one in the environment, which means the default.
    if (text === 'none') return []
    const named = namesIn(text).map((name) => FEATURES.find((feature) => feature === name))
    return named.every((feature) => feature !== undefined) ? named : undefined
  })

export const schema = {
  SERVICE_NAME: optional(text('lower-case letters, digits and hyphens, at most 63', /^[a-z0-9][a-z0-9-]{0,62}$/)),
  NODE_ENV: withDefault(oneOf(['production', 'development', 'test']), 'production'),
  ENV_FILE: optional(absolutePath()),

  HOST: withDefault(text('an address or a host name to listen on', /^[A-Za-z0-9.:_-]{1,253}$/), '0.0.0.0'),
  PORT: withDefault(integer(0, 65_535), 8080),
  LISTEN_FD: optional(integer(0, 1023)),
  REUSE_PORT: withDefault(boolean(), false),
  WORKERS: withDefault(workers(), 1),
  TRUST_PROXY: withDefault(trustProxy(), 0),
  BODY_LIMIT: withDefault(byteSize(64), 100 * 1024),
  RATE_LIMIT: withDefault(integer(0, 1_000_000, 'requests a minute'), 0),
  CORS_ORIGINS: optional(origins()),
  AUTH_JWKS_URL: optional(url(['https:', 'http:'], 'https://issuer.example.com/jwks.json')),
  AUTH_ISSUER: optional(text('the text of the claim iss', /^\S{1,1000}$/)),
  AUTH_AUDIENCE: optional(text('the text of the claim aud', /^\S{1,1000}$/)),
  SESSION_SECRET: optional(secrets()),
  SESSION_TTL_MS: withDefault(milliseconds(1_000, 31 * 24 * 3_600_000), 8 * 3_600_000),
  HEADERS_TIMEOUT_MS: withDefault(milliseconds(100, 600_000), 10_000),
  REQUEST_TIMEOUT_MS: withDefault(milliseconds(100, 3_600_000), 15_000),
  KEEP_ALIVE_TIMEOUT_MS: withDefault(milliseconds(100, 3_600_000), 75_000),
  SOCKET_TIMEOUT_MS: withDefault(milliseconds(100, 3_600_000), 120_000),

  LOG_LEVEL: withDefault(oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']), 'info'),
  LOG_BUFFER: withDefault(byteSize(1), 4096),
  LOG_BUFFER_MS: withDefault(milliseconds(1, 60_000), 100),

  DATABASE_URL: optional(url(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/name')),
  DATABASE_CRITICAL: withDefault(boolean(), true),
  DATABASE_POOL_MAX: withDefault(integer(1, 1000, 'connections'), 10),
  DATABASE_CONNECT_TIMEOUT_MS: withDefault(milliseconds(100, 60_000), 3_000),
  DATABASE_STATEMENT_TIMEOUT_MS: withDefault(milliseconds(100, 3_600_000), 10_000),
  DATABASE_IDLE_TIMEOUT_MS: withDefault(milliseconds(100, 3_600_000), 30_000),

  REDIS_URL: optional(url(['redis:', 'rediss:'], 'redis://:password@host:6379/0', /^\/?\d*$/)),
  REDIS_CRITICAL: withDefault(boolean(), true),
  REDIS_CONNECT_TIMEOUT_MS: withDefault(milliseconds(100, 60_000), 3_000),

  HEALTH_INTERVAL_MS: withDefault(milliseconds(100, 300_000), 2_000),
  HEALTH_TIMEOUT_MS: withDefault(milliseconds(50, 60_000), 1_000),
  HEALTH_FALL: withDefault(integer(1, 100, 'failures'), 2),
  HEALTH_RISE: withDefault(integer(1, 100, 'successes'), 1),
  HEALTH_CHECKS: withDefault(heartbeats(), []),
  HEALTH_CRITICAL: withDefault(names(), []),
  HEALTH_DIALECT: withDefault(oneOf(['standard', 'haproxy', 'envoy', 'consul']), 'standard'),

  FEATURES: withDefault(features(), ['docs']),
  SETTINGS_FILE: optional(absolutePath()),

  DRAIN_DELAY_MS: withDefault(milliseconds(0, 600_000), 5_000),
  SHUTDOWN_TIMEOUT_MS: withDefault(milliseconds(100, 3_600_000), 25_000),
} satisfies Record<string, z.ZodMiniType<unknown, string | undefined>>

export type Name = keyof typeof schema
export type Config = { readonly [K in Name]: z.output<(typeof schema)[K]> }

/** Values that no output may show. Each may come from a file instead, named by `X_FILE`. */
export const SECRETS: ReadonlySet<string> = new Set<Name>(['DATABASE_URL', 'REDIS_URL', 'SESSION_SECRET'])

/** What SETTINGS_FILE may hold, because it may change while the service runs. */
export const RELOADABLE: ReadonlySet<string> = new Set<Name>([
  'LOG_LEVEL',
  'RATE_LIMIT',
  'FEATURES',
  'DATABASE_CRITICAL',
  'REDIS_CRITICAL',
  'HEALTH_INTERVAL_MS',
  'HEALTH_TIMEOUT_MS',
  'HEALTH_FALL',
  'HEALTH_RISE',
  'HEALTH_CRITICAL',
  'HEALTH_DIALECT',
])

export interface Problem {
  readonly name: string
  /** Completes «expected …». */
  readonly expected: string
}

/** Passwords that come with examples and images and are the first that an attacker tries. */
const PLACEHOLDERS = new Set(['changeme', 'change-me', 'password', 'secret', 'example', 'postgres', 'redis', 'admin'])

/** Rules between variables. A variable that was refused is absent, and a rule about it stays silent. */
export function contradictions(config: Partial<Config>): Problem[] {
  const problems: Problem[] = []
  const demand = (name: Name, expected: string, holds: boolean) => {
    if (!holds) problems.push({ name, expected })
  }
  const { HEADERS_TIMEOUT_MS: headers, REQUEST_TIMEOUT_MS: request } = config
  if (headers !== undefined && request !== undefined) {
    // Node refuses to create such a server: the headers are a part of the request.
    demand('HEADERS_TIMEOUT_MS', `at most REQUEST_TIMEOUT_MS (${request})`, headers <= request)
  }
  const { DRAIN_DELAY_MS: delay, SHUTDOWN_TIMEOUT_MS: shutdown } = config
  if (delay !== undefined && shutdown !== undefined) {
    demand('SHUTDOWN_TIMEOUT_MS', `more than DRAIN_DELAY_MS (${delay}), which is a part of it`, shutdown > delay)
  }
  const { HEALTH_INTERVAL_MS: interval, HEALTH_TIMEOUT_MS: timeout } = config
  if (interval !== undefined && timeout !== undefined) {
    // Or a dependency that hangs would be seen later than HEALTH_FALL × HEALTH_INTERVAL_MS + HEALTH_TIMEOUT_MS.
    demand('HEALTH_TIMEOUT_MS', `at most HEALTH_INTERVAL_MS (${interval})`, timeout <= interval)
  }
  const checks = config.HEALTH_CHECKS?.map(({ name }) => name)
  if (checks !== undefined && config.HEALTH_CRITICAL !== undefined) {
    demand(
      'HEALTH_CRITICAL',
      `names of HEALTH_CHECKS (${checks.join(', ') || 'there are none'})`,
      config.HEALTH_CRITICAL.every((name) => checks.includes(name)),
    )
  }
  const isUnset = (name: Name) => name in config && config[name] === undefined
  const AUTH = ['AUTH_JWKS_URL', 'AUTH_ISSUER', 'AUTH_AUDIENCE'] as const
  for (const name of AUTH) {
    if (config[name] !== undefined) demand(name, `${AUTH.join(', ')}: all of them or none`, !AUTH.some(isUnset))
  }
  if (config.SESSION_SECRET !== undefined) {
    // A session is started with a token, and kept where every process finds it.
    demand(
      'SESSION_SECRET',
      'REDIS_URL and AUTH_JWKS_URL beside it',
      !(isUnset('REDIS_URL') || isUnset('AUTH_JWKS_URL')),
    )
    demand('CORS_ORIGINS', 'exact origins, because there are sessions', !config.CORS_ORIGINS?.includes('*'))
  }
  if (config.NODE_ENV === 'production') {
    const { protocol = 'https:', hostname = '' } = URL.parse(config.AUTH_JWKS_URL ?? '') ?? {}
    const isSafe = protocol === 'https:' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
    demand('AUTH_JWKS_URL', 'https in production: who can change the keys can be anybody', isSafe)
    for (const name of ['DATABASE_URL', 'REDIS_URL'] as const) {
      const password = URL.parse(config[name] ?? '')?.password.toLowerCase() ?? ''
      demand(name, 'a password of its own in production, not a placeholder', !PLACEHOLDERS.has(password))
    }
  }
  return problems
}
