import * as z from 'zod'

/** The last item of a page: the value that the list is sorted by, and the id that breaks ties. */
export interface Position {
  readonly value: string | number
  readonly id: string
}

export interface Cursor extends Position {
  /** The sort order and the filters of the list that the cursor belongs to, as `describeList` writes them. */
  readonly list: string
}

export interface ListDescription {
  readonly sort: string
  readonly filters: object
}

/** Describes a list in few characters: lists with different sort orders or filters have different descriptions. */
export function describeList({ sort, filters }: ListDescription): string {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined)
  if (given.length === 0) return sort
  // Load the module for the first filter to keep the start fast. The executable cannot import() a built-in module.
  const { hash } = process.getBuiltinModule('node:crypto')
  return `${sort} ${hash('sha256', JSON.stringify(given.sort()), 'base64url').slice(0, 12)}`
}

/** Longest cursor: a string of 200 control characters, which JSON escapes, in base64. */
export const MAX_CURSOR = 2_000

const form = z.tuple([z.string(), z.union([z.string(), z.number()]), z.guid()])

export const formatCursor = ({ list, value, id }: Cursor): string =>
  Buffer.from(JSON.stringify([list, value, id])).toString('base64url')

/** Returns undefined for a cursor that `formatCursor` did not create. */
export function parseCursor(cursor: string): Cursor | undefined {
  try {
    const [list, value, id] = form.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    return { list, value, id }
  } catch {
    return undefined
  }
}
