import { expect, test } from '@jest/globals'
import { safeParse } from 'zod'
import { date, idParams, text, timestamp } from './stored.ts'

test.each([
  ['', false],
  ['a', true],
  ['abc', true],
  ['abcd', false],
  ['😀😀😀', true],
  ['😀😀😀😀', false],
  ['a\0', false],
  ['\ud83d', false],
  ['\ude00\ud83d', false],
  ['\n\t', true],
])('%j is a text of 1 to 3 characters that can be stored: %s', (value, expected) => {
  expect(safeParse(text(1, 3), value).success).toBe(expected)
})

test.each([
  ['2026-11-22', true],
  ['2024-02-29', true],
  ['0001-01-01', true],
  ['2026-02-29', false],
  ['0000-01-01', false],
  ['10000-01-01', false],
  ['2026-11-22T00:00:00Z', false],
  ['infinity', false],
])('%s is a day that can be stored: %s', (value, expected) => {
  expect(safeParse(date(), value).success).toBe(expected)
})

test.each([
  ['2026-11-22T20:46:02Z', true],
  ['2026-11-22T20:46:02.1Z', true],
  ['9999-12-31T23:59:59.999Z', true],
  // It would be the year 10000.
  ['9999-12-31T23:59:59.9999Z', false],
  ['0000-01-01T00:00:00Z', false],
  ['2026-11-22T20:46:02+01:00', false],
  ['2026-11-22T24:00:00Z', false],
  ['2026-11-22', false],
])('%s is a moment that can be stored: %s', (value, expected) => {
  expect(safeParse(timestamp(), value).success).toBe(expected)
})

test('an id has one form, however a client writes it', () => {
  const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
  expect(safeParse(idParams, { id: id.toUpperCase() }).data).toEqual({ id })
  expect(safeParse(idParams, { id: `${id} ` }).success).toBe(false)
})
