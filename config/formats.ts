import { BlockList, isIP } from 'node:net'
import * as z from 'zod'

/*
 * The formats of variables. A format accepts the text of a variable and returns its value. Each error text completes
 * the sentence "expected …"; load.ts adds the name of the variable and the given text.
 */

/** Accepts digits only: a sign, an exponent or white space is an error, so no number is rounded or guessed. */
export const integer = (min: number, max: number, unit = '') => {
  const expected = `an integer from ${min} to ${max}${unit && ` ${unit}`}`
  return z
    .string()
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected)
}

export const milliseconds = (min: number, max: number) => integer(min, max, 'milliseconds')

export const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, `one of ${values.join(', ')}`)

export const boolean = () => oneOf(['true', 'false']).transform((text) => text === 'true')

export const absolutePath = () => z.string().regex(/^\/.{1,4096}$/, 'an absolute path')

const splitList = (text: string): readonly string[] => (text === '' ? [] : text.split(',').map((item) => item.trim()))

/** Values separated by commas. An empty text is an empty list. */
export const list = <T extends z.ZodType<unknown, string>>(item: T) =>
  z.string().transform(splitList).pipe(z.array(item).readonly())

const BYTES = { b: 1, kb: 1024, mb: 1024 ** 2 }

/** `100`, `100b`, `64kb` or `1mb` in bytes. The units are binary, as in Express's body parsers. */
export const byteSize = (maxMegabytes: number) => {
  const expected = `a size from 1b to ${maxMegabytes}mb, such as 100kb`
  return z
    .string()
    .regex(/^\d{1,9}(b|kb|mb)?$/, expected)
    .transform((text) => Number.parseInt(text, 10) * BYTES[(/[a-z]+$/.exec(text)?.[0] ?? 'b') as keyof typeof BYTES])
    .refine((bytes) => bytes >= 1 && bytes <= maxMegabytes * BYTES.mb, expected)
}

/** The drivers decode percent-encoded text and throw errors of their own when it is malformed. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

export const url = (protocols: readonly string[], example: string, path = /^/) =>
  z.string().refine((text) => {
    const url = URL.parse(text)
    if (url === null || !protocols.includes(url.protocol) || url.hostname === '') return false
    // An unencoded slash in a password ends the host early, and `app config` would show the rest of the password as a path.
    if (url.pathname.includes('@')) return false
    return path.test(url.pathname) && isDecodable(url.username + url.password + url.pathname)
  }, `a URL such as ${example}`)

/** A URL that `app config` shows, so it may not contain a secret. */
export const publicUrl = (protocols: readonly string[], example: string) =>
  url(protocols, example).refine((text) => {
    const { username = '', password = '', search = '', hash = '' } = URL.parse(text) ?? {}
    return username + password + search + hash === ''
  }, `a URL without credentials, query and fragment, such as ${example}`)

/** An origin in the form that browsers send, because origins are compared as text. */
const isOrigin = (text: string) => /^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text

export const origins = () => {
  const expected =
    'origins such as https://app.example.com, in lower case and without a path, separated by commas, or *'
  const everyOrigin = z.literal('*').transform((): readonly string[] => ['*'])
  return z.union([everyOrigin, list(z.string().refine(isOrigin, expected))], expected)
}

const NAMED_RANGES = ['loopback', 'linklocal', 'uniquelocal']

/** A range of nearly every address trusts every client, exactly as `true` does. */
function smallestPrefix(address: string, family: number): number {
  if (family === 4) return 8
  return address.toLowerCase().startsWith('::ffff:') ? 104 : 7
}

function isAddressRange(text: string): boolean {
  if (NAMED_RANGES.includes(text)) return true
  const [address = '', prefix, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix)) return false
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
    return Number(prefix) >= smallestPrefix(address, family)
  } catch {
    return false
  }
}

/** The number of proxies, or their addresses. `true` is an error: it lets every client choose its own address. */
export const trustProxy = () => {
  const expected = `a number of proxies from 0 to 10, or addresses, CIDR ranges or ${NAMED_RANGES.join(', ')}, separated by commas`
  const count = z
    .string()
    .regex(/^(\d|10)$/, expected)
    .transform(Number)
  return z.union([count, list(z.string().refine(isAddressRange, expected))], expected)
}

/** Some of the names, or `none`, because an empty variable means the default. */
export const namesOrNone = <const T extends readonly string[]>(names: T, subject: string) => {
  const expected = `none, or names of ${subject} (${names.join(', ')})`
  const none = z.literal('none').transform((): readonly T[number][] => [])
  return z.union([none, list(z.enum(names, expected))], expected)
}

/** The target of a check in HEALTH_CHECKS. */
export type HeartbeatTarget =
  | { readonly type: 'http'; readonly url: string }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'command'; readonly file: string; readonly args: readonly string[] }

export interface Heartbeat {
  readonly name: string
  readonly target: HeartbeatTarget
}

function parseTarget(text: string): HeartbeatTarget | undefined {
  if (text.startsWith('command:')) {
    const [file = '', ...args] = text.slice('command:'.length).trim().split(/\s+/)
    return file.startsWith('/') ? { type: 'command', file, args } : undefined
  }
  const url = URL.parse(text)
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '') return undefined
  if (url.protocol === 'http:' || url.protocol === 'https:') return { type: 'http', url: text }
  const port = Number(url.port)
  if (url.protocol !== 'tcp:' || port === 0 || url.pathname + url.search !== '') return undefined
  return { type: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

/** The names of the stores' own checks. */
const RESERVED_CHECKS = ['database', 'redis']

function parseHeartbeats(text: string): readonly Heartbeat[] | undefined {
  const names = new Set(RESERVED_CHECKS)
  const heartbeats: Heartbeat[] = []
  for (const entry of text.split(',')) {
    const [, name = '', rest = ''] = /^\s*([a-z][a-z0-9-]{0,31})=(.*\S)\s*$/.exec(entry) ?? []
    const target = parseTarget(rest)
    if (name === '' || names.has(name) || target === undefined) return undefined
    names.add(name)
    heartbeats.push({ name, target })
  }
  return heartbeats
}

export const heartbeats = () =>
  z.string().transform((text, context) => {
    const heartbeats = parseHeartbeats(text)
    if (heartbeats !== undefined) return heartbeats
    context.addIssue(
      `name=target pairs separated by commas, each name once and none of ${RESERVED_CHECKS.join(', ')}; a target is http(s)://…, tcp://host:port or command:/path arguments`,
    )
    return z.NEVER
  })
