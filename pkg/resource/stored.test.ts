import { expect, test } from '@jest/globals'
import { safeParse, toJSONSchema } from 'zod'
import { bigint, date, decimal, idParams, json, storedFields, text, timestamp } from './stored.ts'

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
  // This time is in the year 10000.
  ['9999-12-31T23:59:59.9999Z', false],
  ['0000-01-01T00:00:00Z', false],
  ['2026-11-22T20:46:02+01:00', false],
  ['2026-11-22T24:00:00Z', false],
  ['2026-11-22', false],
])('%s is a moment that can be stored: %s', (value, expected) => {
  expect(safeParse(timestamp(), value).success).toBe(expected)
})

test('an id has a single spelling, regardless of how a client writes it', () => {
  const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
  expect(safeParse(idParams, { id: id.toUpperCase() }).data).toEqual({ id })
  expect(safeParse(idParams, { id: `${id} ` }).success).toBe(false)
})

test('an id may be any value of the type uuid of PostgreSQL, such as the id of an imported row', () => {
  const id = '11111111-2222-3333-4444-555555555555'
  expect(safeParse(idParams, { id }).data).toEqual({ id })
  expect(safeParse(storedFields.id, id).data).toBe(id)
})

test.each([
  ['0', true],
  ['-9223372036854775808', true],
  ['9223372036854775807', true],
  ['9223372036854775808', false],
  ['-9223372036854775809', false],
  ['9007199254740993', true],
  [9_007_199_254_740_992, false],
  ['-0', false],
  ['007', false],
  ['1e3', false],
  ['1.0', false],
  ['', false],
  ['x', false],
])('%j is a whole number of 64 bits: %s', (value, expected) => {
  expect(safeParse(bigint(), value).success).toBe(expected)
})

test.each([
  ['0', true],
  ['-9999999999.99', true],
  ['7.5', true],
  ['10000000000', false],
  ['0.001', false],
  ['007', false],
  ['.5', false],
  ['5.', false],
  ['+1', false],
  ['1e2', false],
  ['NaN', false],
  ['Infinity', false],
  ['0.10\n', false],
  [7.5, false],
])('%j is a decimal of 12 digits, 2 of them after the point: %s', (value, expected) => {
  expect(safeParse(decimal(12, 2), value).success).toBe(expected)
})

test.each([
  [4, 0, '9999', '9999.0'],
  [4, 0, '-1', '10000'],
  [4, 4, '0.1234', '1.1234'],
])('the text of decimal(%i, %i) may be %s and not %s', (precision, scale, right, wrong) => {
  expect(safeParse(decimal(precision, scale), right).success).toBe(true)
  expect(safeParse(decimal(precision, scale), wrong).success).toBe(false)
})

const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) })

test.each([
  ['{}', true],
  ['{"a":[1,null,true,{"b":"😀"}]}', true],
  [JSON.stringify(nested(32)), true],
  [JSON.stringify(nested(33)), false],
  [`{"a":${'['.repeat(40_000)}${']'.repeat(40_000)}}`, false],
  ['[]', false],
  ['null', false],
  ['"text"', false],
  ['{"a":"\\u0000"}', false],
  ['{"a":["\\ud83d"]}', false],
  ['{"\\u0000":1}', false],
  ['{"__proto__":1}', false],
  ['{"a":[1e308,-1e308]}', true],
  // This number is infinite as a double, and null as JSON.
  ['{"a":[1e400]}', false],
])('%.60s is an object that can be stored: %s', (text, expected) => {
  expect(safeParse(json(), JSON.parse(text)).success).toBe(expected)
})

test('the document has the formats of dates and timestamps', () => {
  expect([date(), timestamp()].map((schema) => toJSONSchema(schema).format)).toEqual(['date', 'date-time'])
})

test('a JSON object is not changed', () => {
  const value = { b: 1, a: [{ c: null }, 'x'], constructor: { prototype: {} } }
  expect(json().parse(value)).toEqual(value)
})
