import { expect, test } from '@jest/globals'
import pg from 'pg'
import { types } from './client.ts'

const parse = types.getTypeParser(pg.types.builtins.TIMESTAMPTZ, 'text') as (text: string) => string

test.each([
  ['2026-11-22 20:46:02.125+00', '2026-11-22T20:46:02.125Z'],
  ['2026-11-22 20:46:02.12+00', '2026-11-22T20:46:02.120Z'],
  ['2026-11-22 20:46:02+00', '2026-11-22T20:46:02.000Z'],
  ['2026-11-22 20:46:02.125999+00', '2026-11-22T20:46:02.125Z'],
  ['2026-11-22 21:46:02.125+01', '2026-11-22T20:46:02.125Z'],
  ['2026-11-23 02:16:02.125+05:30', '2026-11-22T20:46:02.125Z'],
  ['10000-01-01 00:00:00+00', '+010000-01-01T00:00:00.000Z'],
  ['0044-03-15 00:00:00+00 BC', '-000043-03-15T00:00:00.000Z'],
  ['infinity', 'infinity'],
  ['-infinity', '-infinity'],
])('the timestamp %s is %s', (text, expected) => {
  expect(parse(text)).toBe(expected)
})
