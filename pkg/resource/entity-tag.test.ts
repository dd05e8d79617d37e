import { expect, test } from '@jest/globals'
import { requireMatch, versionHeaders } from './entity-tag.ts'

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
  ['', false],
  [undefined, false],
])('If-Match: %s lets version 3 be changed: %s', (header, expected) => {
  const match = () => requireMatch(header)({ version: 3 })
  if (expected) match()
  else expect(match).toThrow(expect.objectContaining({ code: 'precondition_failed' }))
})

test('If-Match accepts the tag of a version', () => {
  requireMatch(versionHeaders({ version: 7 }).etag)({ version: 7 })
})
