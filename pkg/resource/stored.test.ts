import { expect, test } from '@jest/globals'
import { safeParse } from 'zod/mini'
import { text } from './stored.ts'

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
