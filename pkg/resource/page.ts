import * as z from 'zod'
import type { Stored } from './stored.ts'

/** The last item of a page. Lists are sorted by these two fields, newest first. */
export type Position = Pick<Stored, 'createdAt' | 'id'>

export interface PageRequest {
  readonly limit: number
  /** The end of the previous page. */
  readonly cursor?: Position | undefined
}

export interface Page<T> {
  readonly items: T[]
  /** The cursor of the next page, or null at the end. */
  readonly next: string | null
}

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/

export const formatCursor = ({ createdAt, id }: Position): string =>
  Buffer.from(`${createdAt} ${id}`, 'latin1').toString('base64url')

/** Returns undefined for a cursor that `formatCursor` did not make. */
export function parseCursor(cursor: string): Position | undefined {
  const [, createdAt = '', id = ''] = FORM.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? []
  return Number.isNaN(Date.parse(createdAt)) ? undefined : { createdAt, id }
}

/** Longest page. */
const MAX_LIMIT = 100

/** The document shows a number. Other forms of numbers, such as `1e1`, stay text and are invalid. */
const limit = z.preprocess(
  (text) => (/^\d{1,9}$/.test(String(text)) ? Number(text) : text),
  z.int('Invalid limit: expected a number').min(1).max(MAX_LIMIT),
)

/** `?limit=20&cursor=…` */
export const pageQuery = z.object({
  limit: limit.default(20).describe('The length of the page; 20 by default'),
  cursor: z
    .string()
    .describe('The value of next in the previous page')
    .max(100)
    .regex(/^[\w-]*$/, 'Invalid cursor: use the value of next')
    .transform((text, { issues }): Position => {
      const position = parseCursor(text)
      if (position !== undefined) return position
      issues.push({ code: 'custom', message: 'Invalid cursor: use the value of next', input: text })
      return z.NEVER
    })
    .optional(),
})

export const pageSchema = <S extends z.ZodType>(item: S) =>
  z.object({
    items: z.array(item).max(MAX_LIMIT),
    next: z
      .string()
      .max(100)
      .regex(/^[\w-]+$/)
      .nullable(),
  })

/** Makes a page from up to `limit + 1` rows: the extra row tells that there is a next page. */
export function createPage<T extends Position>(rows: readonly T[], limit: number): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last ? formatCursor(last) : null }
}
