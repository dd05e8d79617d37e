import { expect, test } from '@jest/globals'
import { timestamp } from './timestamp.ts'

const now = new Date('2026-11-22T20:46:02.125Z')

test.each([
  [[], '20261122204602'],
  [['index', '20251122204602-carts'], '20261122204602'],
  [['20261122204602-carts', '20261122204600-updated-at'], '20261122204603'],
  [['20261231235959-carts'], '20270101000000'],
])('after the migrations %j, a new migration has the time %s', (names, expected) => {
  expect(timestamp(now, names)).toBe(expected)
})
