import * as z from 'zod/mini'

/** What every stored thing has besides its own fields. */
export interface Stored {
  readonly id: string
  /** Starts at 1 and is one more after each change. */
  readonly version: number
  /** ISO 8601, in milliseconds and UTC, as is `updatedAt`. */
  readonly createdAt: string
  readonly updatedAt: string
}

/** The same as fields of an answer. */
export const storedFields = {
  id: z.uuid(),
  version: z.int().check(z.gte(1)),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
}

/** In the path of one of them. The database compares ids, and a cache their text. */
export const idParams = z.object({ id: z.uuid().check(z.toLowerCase()) })

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what it looks for.
const STORABLE = /^[^\u0000\ud800-\udfff]*$/u

/** So many characters that PostgreSQL can store as they are: it has no NUL, and UTF-8 no half of a pair. */
export const text = (min: number, max: number) =>
  z
    .string()
    .check(
      z.minLength(min),
      z.maxLength(max),
      z.regex(STORABLE, 'Invalid string: must not contain NUL or half of a surrogate pair'),
    )

/** A day, in no time zone. PostgreSQL has no year 0. */
export const date = () => z.iso.date().check(z.regex(/^(?!0000)/, 'Invalid date: there is no year 0'))

/** A moment in UTC and in milliseconds, as it is stored: what is finer would be rounded. */
export const timestamp = () =>
  z.iso
    .datetime()
    .check(z.regex(/^(?!0000)[^.]*(\.\d{1,3})?Z$/, 'Invalid datetime: in milliseconds at most, and there is no year 0'))
