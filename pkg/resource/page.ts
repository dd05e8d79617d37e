import * as z from 'zod/mini'
import type { Stored } from './stored.ts'

/** Where a page ends in a list that is sorted by these two, newest first. */
export type Position = Pick<Stored, 'createdAt' | 'id'>

export interface PageRequest {
  readonly limit: number
  /** Where the page before ended. */
  readonly cursor?: Position | undefined
}

export interface Page<T> {
  readonly items: T[]
  /** The cursor of the next page, or null at the end. */
  readonly next: string | null
}

const FORM = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/

export const cursorOf = ({ createdAt, id }: Position): string =>
  Buffer.from(`${createdAt} ${id}`, 'latin1').toString('base64url')

/** Undefined for what `cursorOf` cannot have made. */
export function positionOf(cursor: string): Position | undefined {
  const [, createdAt = '', id = ''] = FORM.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? []
  return Number.isNaN(Date.parse(createdAt)) ? undefined : { createdAt, id }
}

/** Digits only: what is no such text stays one, and is refused as one. */
const digits = z.transform((text) => (typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text))

/** `?limit=20&cursor=…` */
export const pageQuery = z.object({
  limit: z._default(z.pipe(digits, z.int().check(z.gte(1), z.lte(100))), 20),
  cursor: z.optional(
    z.pipe(
      z.string().check(z.maxLength(100)),
      z.transform((text: string, { issues }): Position => {
        const position = positionOf(text)
        if (position !== undefined) return position
        issues.push({ code: 'custom', message: 'Invalid cursor: take it from next', input: text })
        return z.NEVER
      }),
    ),
  ),
})

export const pageAnswer = <S extends z.ZodMiniType>(item: S) =>
  z.object({ items: z.array(item), next: z.nullable(z.string()) })

/** From one row more than the page has, if there is one. */
export function pageOf<T extends Position>(rows: readonly T[], limit: number): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last ? cursorOf(last) : null }
}
