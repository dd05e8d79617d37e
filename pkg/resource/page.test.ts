import { expect, test } from '@jest/globals'
import * as z from 'zod'
import { describeList, formatCursor, MAX_CURSOR, parseCursor } from './cursor.ts'
import { createPage, pageQuery } from './page.ts'
import { decimal, text, timestamp } from './stored.ts'

const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
const createdAt = '2026-11-22T20:46:02.125Z'
const query = pageQuery({
  sorts: { title: text(1, 200), total: decimal(12, 2), count: z.int32(), dueAt: timestamp() },
  filters: { state: z.enum(['open', 'closed']), isPaid: z.boolean().nullable(), parts: z.int32(), owner: z.uuid() },
})
const cursor = (list: string, value: string | number, of = id) => formatCursor({ list, value, id: of })
const DEFAULT = { limit: 20, sort: '-createdAt', filters: {} }

test.each([
  [{}, DEFAULT],
  [{ limit: '1' }, { ...DEFAULT, limit: 1 }],
  [
    { limit: '100', cursor: cursor('-createdAt', createdAt) },
    { ...DEFAULT, limit: 100, cursor: { value: createdAt, id } },
  ],
  [{ sort: 'title' }, { ...DEFAULT, sort: 'title' }],
  [
    { sort: '-count', cursor: cursor('-count', 7) },
    { ...DEFAULT, sort: '-count', cursor: { value: 7, id } },
  ],
  [
    { state: 'open', isPaid: 'false', parts: '-7', owner: id },
    { ...DEFAULT, filters: { state: 'open', isPaid: false, parts: -7, owner: id } },
  ],
])('the query %j selects %j', (given, expected) => {
  expect(query.safeParse(given).data).toEqual(expected)
})

test.each([
  [{ limit: '0' }, 'limit'],
  [{ limit: '101' }, 'limit'],
  [{ limit: '1e1' }, 'limit'],
  [{ limit: ' 1' }, 'limit'],
  [{ limit: ['1', '2'] }, 'limit'],
  [{ sort: 'state' }, 'sort'],
  [{ sort: '--title' }, 'sort'],
  [{ sort: 'title,count' }, 'sort'],
  [{ sort: ['title', 'count'] }, 'sort'],
  [{ sort: 'constructor' }, 'sort'],
  [{ state: 'other' }, 'state'],
  [{ state: ['open', 'closed'] }, 'state'],
  [{ isPaid: '1' }, 'isPaid'],
  [{ isPaid: 'null' }, 'isPaid'],
  [{ parts: '1e1' }, 'parts'],
  [{ parts: '2147483648' }, 'parts'],
  [{ owner: 'x' }, 'owner'],
  [{ cursor: '' }, 'cursor'],
  [{ cursor: 'garbage' }, 'cursor'],
  [{ cursor: 'A'.repeat(MAX_CURSOR + 1) }, 'cursor'],
  [{ cursor: cursor('-createdAt', createdAt, '1') }, 'cursor'],
  [{ cursor: cursor('-createdAt', createdAt, `${id} or 1=1`) }, 'cursor'],
  [{ cursor: cursor('-createdAt', '2026-11-22') }, 'cursor'],
  [{ cursor: cursor('-createdAt', '2026-13-45T20:46:02.125Z') }, 'cursor'],
  [{ cursor: cursor('-createdAt', '2026-11-22T20:46:02.125001Z') }, 'cursor'],
  [{ cursor: cursor('-createdAt', '0000-01-01T00:00:00.000Z') }, 'cursor'],
  [{ cursor: cursor('-createdAt', 7) }, 'cursor'],
  [{ sort: 'count', cursor: cursor('count', '7') }, 'cursor'],
  [{ sort: 'count', cursor: cursor('count', 2 ** 31) }, 'cursor'],
  [{ sort: 'total', cursor: cursor('total', 1.5) }, 'cursor'],
  [{ sort: 'total', cursor: cursor('total', 'NaN') }, 'cursor'],
  [{ sort: 'title', cursor: cursor('title', 'a\0') }, 'cursor'],
])('the query %j has one invalid parameter: %s', (given, name) => {
  const { error } = query.safeParse(given)
  expect(new Set(error?.issues.map(({ path }) => path.join('.')))).toEqual(new Set([name]))
})

test.each(['0', '101', '1.5', 'x'])('the message for limit=%s names the range', (limit) => {
  expect(query.safeParse({ limit }).error?.issues[0]?.message).toContain('from 1 to 100')
})

test('an unknown parameter is invalid', () => {
  expect(query.safeParse({ colour: 'red' }).error?.issues).toMatchObject([
    { code: 'unrecognized_keys', keys: ['colour'] },
  ])
})

test.each([[{ sort: 'createdAt' }], [{ sort: '-title' }], [{ state: 'open' }]])(
  'a cursor of the default list is refused with the query %j',
  (given) => {
    expect(() => query.safeParse({ ...given, cursor: cursor('-createdAt', createdAt) })).toThrow(
      expect.objectContaining({ code: 'cursor_mismatch' }),
    )
  },
)

test('a cursor is refused with other filters, and accepted with the same filters in another order', () => {
  const list = (filters: object) => describeList({ sort: 'count', filters })
  const of = (filters: object) => ({ sort: 'count', cursor: cursor(list(filters), 7) })
  const both = of({ state: 'open', isPaid: true })
  expect(query.parse({ ...both, isPaid: 'true', state: 'open' }).cursor).toEqual({ value: 7, id })
  for (const other of [
    {},
    { state: 'open' },
    { state: 'closed', isPaid: 'true' },
    { state: 'open', isPaid: 'false' },
  ]) {
    expect(() => query.safeParse({ ...both, ...other })).toThrow(expect.objectContaining({ code: 'cursor_mismatch' }))
  }
})

test('the cursor contains the exact last item of the page, for each type of a sort field', () => {
  const row = {
    ...{ id, createdAt, count: -0.1 + -0.2, total: '9999999999.99', dueAt: '0001-01-01T00:00:00.001Z' },
    title: '\u0001😀"\\é',
  }
  for (const sort of ['-createdAt', 'count', '-total', 'dueAt', 'title'] as const) {
    const { next } = createPage([row, row], { limit: 1, sort, filters: {} })
    const { value } = parseCursor(next ?? '') ?? {}
    expect(value).toBe(row[sort.replace('-', '') as 'count'])
    expect(encodeURIComponent(next ?? '')).toBe(next)
  }
})

test('a page may end with any value of the type uuid of PostgreSQL, such as the id of an imported row', () => {
  const row = { id: '11111111-2222-3333-4444-555555555555', createdAt }
  const { next } = createPage([row, row], { limit: 1, sort: '-createdAt', filters: {} })
  expect(query.parse({ cursor: next }).cursor).toEqual({ value: createdAt, id: row.id })
})

test('the cursor of the longest title is not too long', () => {
  for (const title of ['😀'.repeat(200), '\u0001'.repeat(200)]) {
    const page = { limit: 1, sort: '-title' as const, filters: { state: 'open' } }
    const { next } = createPage(
      [
        { id, title },
        { id, title },
      ],
      page,
    )
    expect(query.parse({ sort: '-title', state: 'open', cursor: next }).cursor).toEqual({ value: title, id })
  }
})

test('a row beyond the page means that a next page exists', () => {
  const rows = ['1', '2', '3'].map((id) => ({ createdAt, id }))
  const page = (limit: number) => ({ limit, sort: '-createdAt' as const, filters: {} })
  const next = cursor('-createdAt', createdAt, '2')
  expect(createPage(rows, page(2))).toEqual({ items: rows.slice(0, 2), next })
  expect(createPage(rows, page(3))).toEqual({ items: rows, next: null })
  expect(createPage([], page(3))).toEqual({ items: [], next: null })
})

test('a sort by a field that may be null does not compile', () => {
  // @ts-expect-error
  pageQuery({ sorts: { title: text(1, 200).nullable() } })
  // @ts-expect-error
  pageQuery({ sorts: { title: text(1, 200) }, defaultSort: 'total' })
})
