import * as z from 'zod'

/** Fields of every resource. */
export interface Stored {
  readonly id: string
  /** Starts at 1 and increases by one with each change. */
  readonly version: number
  /** ISO 8601 in UTC with milliseconds, like `updatedAt`. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** The schemas of the fields in `Stored`. */
export const storedFields = {
  id: z.guid(),
  version: z.int().min(1).describe('Starts at 1 and increases by one with each change'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
}

/**
 * Path parameters of one resource. Ids are lower case, as PostgreSQL writes them. An imported row may have any value of
 * the type uuid, which `z.uuid()` would refuse.
 */
export const idParams = z.object({ id: z.guid().toLowerCase().describe('The id of the resource') })

// biome-ignore lint/suspicious/noControlCharactersInRegex: PostgreSQL cannot store NUL.
const STORABLE = /^[^\u0000\ud800-\udfff]*$/u

/** Text of `min` to `max` characters that PostgreSQL can store: without NUL and without half of a surrogate pair. */
export const text = (min: number, max: number) =>
  z.string().min(min).max(max).regex(STORABLE, 'Invalid string: must not contain NUL or half of a surrogate pair')

/** A calendar day without a time zone. PostgreSQL has no year 0. */
export const date = () => z.iso.date().refine((text) => !text.startsWith('0000'), 'Invalid date: there is no year 0')

/** A point in time in UTC with at most milliseconds: PostgreSQL would round finer values. */
export const timestamp = () =>
  z.iso
    .datetime()
    // A second regex would remove the format from the OpenAPI document.
    .refine(
      (text) => /^(?!0000)[^.]*(\.\d{1,3})?Z$/.test(text),
      'Invalid datetime: at most milliseconds, and no year 0',
    )

const MAX_BIGINT = 2n ** 63n

/**
 * A whole number of 64 bits, as text without leading zeros and without -0. A JSON number is exact up to 2^53 only.
 */
export const bigint = () =>
  z
    .string()
    .max(20)
    .regex(/^(0|-?[1-9]\d{0,18})$/, { error: 'Invalid integer: expected digits in a string', abort: true })
    .refine((text) => BigInt(text) < MAX_BIGINT && BigInt(text) >= -MAX_BIGINT, 'Invalid integer: expected 64 bits')

/**
 * A decimal number as text, with at most `precision` digits, `scale` of them after the point. It is exact, like
 * `numeric(precision, scale)` of PostgreSQL, which returns every value with `scale` digits after the point.
 */
export function decimal(precision: number, scale: number) {
  const whole = precision === scale ? '0' : `(0|[1-9]\\d{0,${precision - scale - 1}})`
  const fraction = scale === 0 ? '' : `(\\.\\d{1,${scale}})?`
  const message = `Invalid decimal: expected a string of at most ${precision - scale} digits and ${scale} decimals`
  return z
    .string()
    .max(precision + 3)
    .regex(new RegExp(`^-?${whole}${fraction}$`), message)
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Deepest nesting of a stored object. A deeper object could exhaust the stack of its readers. */
const MAX_DEPTH = 32

function isStorable(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return STORABLE.test(value)
  // JSON.parse reads 1e400 as Infinity, which JSON.stringify writes as null.
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  // zod would drop the key __proto__.
  if (depth === MAX_DEPTH || (depth === 0 && Object.hasOwn(value, '__proto__'))) return false
  return Object.entries(value).every(([key, each]) => STORABLE.test(key) && isStorable(each, depth + 1))
}

/**
 * A JSON object that PostgreSQL can store. It has no NUL, no half of a surrogate pair, no number above
 * 1.8e308, and at most 32 levels.
 */
export const json = () =>
  z.preprocess((value, { issues }) => {
    if (isStorable(value)) return value
    const message =
      'Invalid object: must not contain NUL, half of a surrogate pair, __proto__, a number above 1.8e308 or more than 32 levels'
    issues.push({ code: 'custom', message, input: value })
    return z.NEVER
  }, z.looseObject({}))
