import * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import { describeList, formatCursor, MAX_CURSOR, type Position, parseCursor } from './cursor.ts'
import { timestamp } from './stored.ts'

/** `title` sorts ascending and `-title` descending. The id breaks ties, in the same direction. */
export type Sort<Field extends string = string> = Field | `-${Field}`

/** The page of a list that a request selects. */
export interface PageRequest<Field extends string = string, Filters extends object = object> {
  readonly limit: number
  readonly sort: Sort<Field>
  /** Values that each item must have. */
  readonly filters: { readonly [Name in keyof Filters]?: NonNullable<Filters[Name]> | undefined }
  /** The last item of the previous page. */
  readonly cursor?: Position | undefined
}

export interface Page<T> {
  readonly items: T[]
  /** The cursor of the next page, or null at the end. */
  readonly next: string | null
}

export const readSort = <Field extends string>(sort: Sort<Field>) =>
  sort.startsWith('-')
    ? ({ field: sort.slice(1) as Field, direction: 'desc' } as const)
    : ({ field: sort as Field, direction: 'asc' } as const)

type Sortable = z.ZodType<string | number>

export interface ListDeclaration<Sorts, Filters> {
  /**
   * The fields to sort by besides `createdAt`, with schemas that accept every value of the column: they check the
   * cursor. A field that may be null cannot sort. The table needs an index on the field and `id`.
   */
  readonly sorts?: Sorts
  /**
   * The fields to filter by, with the schemas of their values. The table needs an index on the field, `created_at` and
   * `id`.
   */
  readonly filters?: Filters
  /** @default '-createdAt', newest first */
  readonly defaultSort?: Sort<(keyof Sorts & string) | 'createdAt'>
}

/** Maximum number of items in a page. */
const MAX_LIMIT = 100

/** Reads numbers and booleans from the text of a query. Other notations, such as `1e1`, stay text and are invalid. */
function fromText(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodNullable) return fromText(schema.unwrap() as z.ZodType)
  if (schema instanceof z.ZodBoolean) {
    return z.preprocess((text) => (text === 'true' ? true : text === 'false' ? false : text), schema)
  }
  if (schema instanceof z.ZodNumber) {
    return z.preprocess((text) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(String(text)) ? Number(text) : text), schema)
  }
  return schema
}

const CURSOR_MESSAGE = 'Invalid cursor: use the value of next'

const limit = z.int(`Invalid limit: expected a whole number from 1 to ${MAX_LIMIT}`).min(1).max(MAX_LIMIT)

/**
 * Declares the query of a list: `?sort=-title&status=open&limit=20&cursor=…`. Unknown parameters are invalid.
 *
 * Parsing throws a CodedError `cursor_mismatch` when the cursor belongs to another sort order or to other filters.
 */
export function pageQuery<
  Sorts extends Readonly<Record<string, Sortable>> = Record<never, never>,
  Filters extends Readonly<Record<string, z.ZodType>> = Record<never, never>,
>({ sorts, filters, defaultSort = '-createdAt' }: ListDeclaration<Sorts, Filters> = {}) {
  type Request = PageRequest<(keyof Sorts & string) | 'createdAt', { [Name in keyof Filters]: z.output<Filters[Name]> }>
  const fields: Readonly<Record<string, Sortable>> = { createdAt: timestamp(), ...sorts }
  const orders = Object.keys(fields).flatMap((name) => [name, `-${name}`])
  const filterEntries = Object.entries(filters ?? {}).map(([name, schema]) => [
    name,
    fromText(schema).describe('Returns only the items with this value').optional(),
  ])
  const query = z.strictObject({
    sort: z.enum(orders).default(defaultSort).describe('The field to sort by; a minus means descending order'),
    ...(Object.fromEntries(filterEntries) as Record<never, never>),
    limit: fromText(limit).default(20).describe('The length of the page; 20 by default'),
    cursor: z
      .string()
      .max(MAX_CURSOR)
      .regex(/^[\w-]*$/, CURSOR_MESSAGE)
      .describe('The value of next in the previous page, which had the same sort order and filters')
      .optional(),
  })

  return query.transform(({ limit, sort, cursor: text, ...given }, { issues }): Request => {
    const page = { limit: limit as number, sort: sort as Request['sort'], filters: given as Request['filters'] }
    if (text === undefined) return page
    const cursor = parseCursor(text)
    if (cursor !== undefined && cursor.list !== describeList(page)) throw new CodedError('cursor_mismatch')
    const value = fields[readSort(page.sort).field]?.safeParse(cursor?.value)
    if (cursor === undefined || !value?.success) {
      issues.push({ code: 'custom', path: ['cursor'], message: CURSOR_MESSAGE, input: text })
      return z.NEVER
    }
    return { ...page, cursor: { value: value.data, id: cursor.id } }
  })
}

/** Returns the schema of a page. Clients know it by this name, such as `NotePage`. Its example has the item's example. */
export const pageSchema = <S extends z.ZodType>(id: string, item: S) =>
  z
    .object({
      items: z.array(item).max(MAX_LIMIT),
      next: z
        .string()
        .max(MAX_CURSOR)
        .regex(/^[\w-]+$/)
        .nullable()
        .describe('The cursor of the next page, or null at the end'),
    })
    .meta({ id, examples: [{ items: [item.meta()?.examples ?? []].flat().slice(0, 1), next: null }] })

/** Makes a page from up to `limit + 1` rows. The extra row shows that a next page exists. */
export function createPage<
  Field extends string,
  T extends { readonly id: string } & Readonly<Record<Field, string | number>>,
>(rows: readonly T[], { limit, sort, filters }: PageRequest<Field>): Page<T> {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  if (rows.length <= limit || last === undefined) return { items, next: null }
  const { id, [readSort(sort).field]: value } = last
  return { items, next: formatCursor({ list: describeList({ sort, filters }), value, id }) }
}
