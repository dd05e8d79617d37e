import { expect, test } from '@jest/globals'
import { safeParse } from 'zod'
import { createPage, formatCursor, pageQuery, parseCursor } from './page.ts'

const position = { createdAt: '2026-11-22T20:46:02.125Z', id: '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90' }

test('a cursor is the position again, to the millisecond, and needs no escape in a URL', () => {
  const cursor = formatCursor(position)
  expect(parseCursor(cursor)).toEqual(position)
  expect(encodeURIComponent(cursor)).toBe(cursor)
})

test.each([
  '',
  'garbage',
  formatCursor({ ...position, id: '1' }),
  formatCursor({ ...position, createdAt: '2026-11-22' }),
  formatCursor({ ...position, createdAt: '2026-13-45T20:46:02.125Z' }),
  formatCursor({ ...position, id: `${position.id} or 1=1` }),
])('%j is no cursor', (cursor) => {
  expect(parseCursor(cursor)).toBeUndefined()
})

test.each([
  [{}, { limit: 20 }],
  [{ limit: '1' }, { limit: 1 }],
  [
    { limit: '100', cursor: formatCursor(position) },
    { limit: 100, cursor: position },
  ],
  [{ limit: '0' }, undefined],
  [{ limit: '101' }, undefined],
  [{ limit: '1e1' }, undefined],
  [{ limit: ' 1' }, undefined],
  [{ limit: ['1', '2'] }, undefined],
  [{ cursor: 'garbage' }, undefined],
])('%j asks for %j', (query, expected) => {
  expect(safeParse(pageQuery, query).data).toEqual(expected)
})

test('the row beyond the page says that there is a next one', () => {
  const rows = ['1', '2', '3'].map((id) => ({ ...position, id }))
  expect(createPage(rows, 2)).toEqual({ items: rows.slice(0, 2), next: formatCursor(rows[1]!) })
  expect(createPage(rows, 3)).toEqual({ items: rows, next: null })
  expect(createPage([], 3)).toEqual({ items: [], next: null })
})
