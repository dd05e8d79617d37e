import { expect, test } from '@jest/globals'
import { readMatch, versionHeaders } from './entity-tag.ts'

test.each([
  ['*', true],
  ['"3"', true],
  ['"1", "3"', true],
  ['"1","3"', true],
  ['"1"', false],
  ['"1", *', false],
  ['"33"', false],
  ['W/"3"', false],
  ['3', false],
  ['"03"', false],
  ['"3.0"', false],
  ['', false],
  [undefined, false],
])('If-Match: %s lets version 3 be changed: %s', (header, expected) => {
  const match = readMatch(header)
  expect(match === 'any' || match.includes(3)).toBe(expected)
})

test('If-Match accepts the tag of a version', () => {
  expect(readMatch(versionHeaders({ version: 7 }).etag)).toEqual([7])
})

test('If-Match ignores versions beyond the integers of PostgreSQL', () => {
  expect(readMatch('"2147483647", "2147483648", "99999999999999999999"')).toEqual([2_147_483_647])
})
