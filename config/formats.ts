import { isIP, isIPv4 } from 'node:net'
import * as z from 'zod'

/*
 * The formats of variables. A format accepts the text of a variable and returns its value. Each error text completes
 * the sentence "expected …"; load.ts adds the name of the variable and the given text.
 */

/**
 * Creates a format that converts a text with `parse`, which returns undefined or throws for an invalid text. Every
 * start creates the schemas of all variables, so a format is a single schema object: `z.string().transform()` would
 * create three.
 *
 * @public for the variables of optional capabilities
 */
export const createFormat = <T>(expected: string, parse: (text: string) => T | undefined) =>
  z.transform((given: string, context): T => {
    try {
      const value = parse(given)
      if (value !== undefined) return value
    } catch {
      // The text is invalid.
    }
    context.addIssue(expected)
    return z.NEVER
  })

export const text = (pattern: RegExp, expected: string) => z.string().regex(pattern, expected)

/** Accepts digits only: a sign, an exponent or white space is an error, so no number is rounded or guessed. */
function parseInteger(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}

export const integer = (min: number, max: number, unit = '') =>
  createFormat(`an integer from ${min} to ${max}${unit && ` ${unit}`}`, (text) => parseInteger(text, min, max))

export const milliseconds = (min: number, max: number) => integer(min, max, 'milliseconds')

export const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, `one of ${values.join(', ')}`)

export const boolean = () =>
  createFormat('one of true, false', (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined))

const splitList = (text: string): readonly string[] => (text === '' ? [] : text.split(',').map((item) => item.trim()))

/** Texts separated by commas. An empty text is an empty list. */
export const list = (expected: string, isItem: (item: string) => boolean = () => true) =>
  createFormat(expected, (text) => {
    const items = splitList(text)
    return items.every(isItem) ? items : undefined
  })

const BYTES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2 }

/** `100`, `100b`, `64kb` or `1mb` in bytes. The units are binary, as in Express's body parsers. */
export const byteSize = (maxMegabytes: number) =>
  createFormat(`a size from 1b to ${maxMegabytes}mb, such as 100kb`, (text) => {
    const [, amount, unit = 'b'] = /^(\d{1,9})(b|kb|mb)?$/.exec(text) ?? []
    const bytes = Number(amount) * (BYTES[unit] ?? 0)
    return bytes >= 1 && bytes <= maxMegabytes * 1024 ** 2 ? bytes : undefined
  })

export const url = (protocols: readonly string[], example: string, path = /^/) =>
  createFormat(`a URL such as ${example}`, (text) => {
    const { protocol, hostname, username, password, pathname, search, hash } = new URL(text)
    // The drivers decode these components, and throw errors of their own when an encoding is malformed.
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part)
    // An unencoded / ? or # in a password ends the host early, and the rest of the password follows the host.
    const rest = pathname + search.replace(/=.*/s, '') + hash
    // The drivers would look up several hosts as one name.
    const isHost = hostname !== '' && !hostname.includes(',')
    const isValid = protocols.includes(protocol) && isHost && !rest.includes('@') && path.test(pathname)
    return isValid ? text : undefined
  })

/** A URL that `app config` shows, so it may not contain a secret. */
export const publicUrl = (protocols: readonly string[], example: string) =>
  url(protocols, example).refine((text) => {
    const { username = '', password = '', search = '', hash = '' } = URL.parse(text) ?? {}
    return username + password + search + hash === ''
  }, `a URL without credentials, query and fragment, such as ${example}`)

/** An origin in the form that browsers send, because origins are compared as text. */
const isOrigin = (text: string) => /^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text

export const origins = () =>
  createFormat(
    'origins such as https://app.example.com, in lower case and without a path, separated by commas, or *',
    (text) => {
      const origins = splitList(text)
      return text === '*' || origins.every(isOrigin) ? origins : undefined
    },
  )

const NAMED_RANGES = ['loopback', 'linklocal', 'uniquelocal']

/** IPv4-mapped addresses, in each spelling. */
const MAPPED = /^[0:]+:ffff:/i

/** Addresses that Express refuses: an IPv4 address directly after `::`, and a zone with a sign such as `-`. */
const REFUSED = /::\d+\.|%.*[^0-9a-z]/i

/** Returns the smallest accepted prefix length. A larger range would trust nearly every client, as `true` does. */
function findSmallestPrefix(address: string): number {
  if (isIPv4(address)) return 8
  return MAPPED.test(address) ? 104 : 7
}

function isAddressRange(text: string): boolean {
  if (NAMED_RANGES.includes(text)) return true
  const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (!isIP(address) || REFUSED.test(address)) return false
  const bits = isIPv4(address) ? 32 : 128
  return prefix === undefined || parseInteger(prefix, findSmallestPrefix(address), bits) !== undefined
}

/** The number of proxies, or their addresses. `true` is an error: it lets every client choose its own address. */
export const trustProxy = () =>
  createFormat<number | readonly string[]>(
    `a number of proxies from 0 to 10, or addresses, CIDR ranges or ${NAMED_RANGES.join(', ')}, separated by commas`,
    (text) => {
      const ranges = splitList(text)
      return parseInteger(text, 0, 10) ?? (ranges.every(isAddressRange) ? ranges : undefined)
    },
  )

/** Some of the names, or `none` for an empty list: an empty variable would mean the default. */
export const namesOrNone = <const T extends string>(names: readonly T[], subject: string) =>
  createFormat(`none, or names of ${subject} (${names.join(', ')})`, (text): readonly T[] | undefined => {
    if (text === 'none') return []
    const found = splitList(text).map((item) => names.find((name) => name === item))
    return found.every((name) => name !== undefined) ? found : undefined
  })

/** A share from 0 to 1. */
export const ratio = () =>
  createFormat('a number from 0 to 1, such as 0.01', (text) => {
    const value = /^\d{1,3}(\.\d{1,15})?$/.test(text) ? Number(text) : Number.NaN
    return value <= 1 ? value : undefined
  })

/** `name=value` pairs separated by commas, with percent-encoded values, as in the variables of OpenTelemetry. */
export const pairs = (expected: string, isPair: (name: string, value: string) => boolean) =>
  createFormat(`${expected}: name=value pairs separated by commas, with %2C for a comma in a value`, (text) => {
    const found: Record<string, string> = {}
    for (const item of splitList(text)) {
      const [, name = '', encoded = ''] = /^([^=]+?)\s*=\s*(.*)$/.exec(item) ?? []
      const value = decodeURIComponent(encoded)
      if (!isPair(name, value)) return undefined
      found[name] = value
    }
    return found
  })

/** Returns the target of a check in HEALTH_CHECKS. */
function parseTarget(text: string) {
  if (text.startsWith('command:')) {
    const [file = '', ...args] = text.slice('command:'.length).trim().split(/\s+/)
    return file.startsWith('/') ? { type: 'command' as const, file, args } : undefined
  }
  const { protocol, hostname, port, username, password, pathname, search } = new URL(text)
  if (hostname === '' || username + password !== '') return undefined
  if (protocol === 'http:' || protocol === 'https:') return { type: 'http' as const, url: text }
  if (protocol !== 'tcp:' || Number(port) === 0 || pathname + search !== '') return undefined
  return { type: 'tcp' as const, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** The names of the service's own checks. */
const RESERVED_CHECKS = ['database', 'redis', 'registry']

export const heartbeats = () =>
  createFormat(
    `name=target pairs separated by commas, each name once and none of ${RESERVED_CHECKS.join(', ')} and upstream-…; a target is http(s)://…, tcp://host:port or command:/path arguments`,
    (text) => {
      const names = new Set(RESERVED_CHECKS)
      const heartbeats = []
      for (const entry of text.split(',')) {
        const [, name = '', rest = ''] = /^\s*([a-z][a-z0-9-]{0,31})=(.*\S)\s*$/.exec(entry) ?? []
        const target = parseTarget(rest)
        if (name === '' || name.startsWith('upstream-') || names.has(name) || target === undefined) return undefined
        names.add(name)
        heartbeats.push({ name, target })
      }
      return heartbeats
    },
  )
