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

/** The schemas of these fields. */
export const storedFields = {
  id: z.uuid(),
  version: z.int().min(1),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
}

/** Path parameters of one resource. Ids are lower case, as PostgreSQL writes them. */
export const idParams = z.object({ id: z.uuid().toLowerCase() })

// biome-ignore lint/suspicious/noControlCharactersInRegex: PostgreSQL cannot store NUL.
const STORABLE = /^[^\u0000\ud800-\udfff]*$/u

/** Text of `min` to `max` characters that PostgreSQL can store: without NUL and without half of a surrogate pair. */
export const text = (min: number, max: number) =>
  z.string().min(min).max(max).regex(STORABLE, 'Invalid string: must not contain NUL or half of a surrogate pair')

/** A calendar day without a time zone. PostgreSQL has no year 0. */
export const date = () => z.iso.date().regex(/^(?!0000)/, 'Invalid date: there is no year 0')

/** A point in time in UTC with at most milliseconds: PostgreSQL would round finer values. */
export const timestamp = () =>
  z.iso.datetime().regex(/^(?!0000)[^.]*(\.\d{1,3})?Z$/, 'Invalid datetime: at most milliseconds, and no year 0')
