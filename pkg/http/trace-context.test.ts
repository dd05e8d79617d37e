import { describe, expect, test } from '@jest/globals'
import { createIds, parseTraceparent, parseTracestate } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-02`, false],
    [`01-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-a-later-version-appends`, true],
    [`01-${TRACE}-${SPAN}-01-`, true],
  ])('%s is valid', (header, sampled) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, parentId: SPAN, sampled })
  })

  test.each([
    ['is empty', ''],
    ['has the version ff', `ff-${TRACE}-${SPAN}-01`],
    ['has upper-case digits', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['has a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['has a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['has a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['has a long span id', `00-${TRACE}-${SPAN}0-01`],
    ['has a character that is no digit', `00-${TRACE.slice(1)}g-${SPAN}-01`],
    ['has short flags', `00-${TRACE}-${SPAN}-1`],
    ['has no flags', `00-${TRACE}-${SPAN}`],
    ['has a field that version 00 does not have', `00-${TRACE}-${SPAN}-01-more`],
    ['ends with a hyphen', `00-${TRACE}-${SPAN}-01-`],
    ['has more text after the flags of a later version', `01-${TRACE}-${SPAN}-01more`],
    ['was sent twice', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ])('a header that %s is invalid', (_what, header) => {
    expect(parseTraceparent(header)).toBeUndefined()
  })
})

describe('tracestate', () => {
  const members = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`)

  test.each([
    ['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'],
    ['rojo=1 ,\t congo=2,, ', 'rojo=1,congo=2'],
    ['fw529a3039@dt=FfAAA!;#"$%&()*+-./:<>?@[]^_`{|}~ x', 'fw529a3039@dt=FfAAA!;#"$%&()*+-./:<>?@[]^_`{|}~ x'],
    ['0tenant@vendor=1', '0tenant@vendor=1'],
    [members(32).join(), members(32).join()],
    ['', undefined],
    [' , ', undefined],
  ])('%j becomes %j', (header, state) => {
    expect(parseTracestate(header)).toBe(state)
  })

  test.each([
    ['a member without a value', 'rojo'],
    ['an empty value', 'rojo='],
    ['an upper-case key', 'Rojo=1'],
    ['a key that begins with a digit and has no vendor', '0rojo=1'],
    ['a key of 257 characters', `${'k'.repeat(257)}=1`],
    ['a tenant of 242 characters', `${'k'.repeat(242)}@v=1`],
    ['a vendor of 15 characters', `k@${'v'.repeat(15)}=1`],
    ['a value of 257 characters', `k=${'v'.repeat(257)}`],
    ['an equals sign in a value', 'rojo=1=2'],
    ['a character outside of ASCII in a value', 'rojo=ö'],
    ['the same key twice', 'rojo=1,rojo=2'],
    ['33 members', members(33).join()],
  ])('is dropped as a whole for %s', (_what, header) => {
    expect(parseTracestate(header)).toBeUndefined()
  })

  test.each([
    ['white space', `a=b${' '.repeat(2e6)}c`],
    ['empty members', ','.repeat(2e5)],
  ])('is dropped in linear time when it consists of %s', (_what, header) => {
    // In quadratic time, the white space would take an hour.
    expect(parseTracestate(header)).toBeUndefined()
  })

  test('of more than 512 characters loses the long members, then the last members', () => {
    const long = `long=${'v'.repeat(200)}`
    const short = (index: number) => `k${index}=${'v'.repeat(97)}`
    expect(parseTracestate([long, short(1), short(2), short(3)].join())).toBe(
      [long, short(1), short(2), short(3)].join(),
    )
    expect(parseTracestate([long, short(1), short(2), short(3), short(4)].join())).toBe(
      [short(1), short(2), short(3), short(4)].join(),
    )
    expect(parseTracestate([1, 2, 3, 4, 5, 6].map(short).join())).toBe([1, 2, 3, 4, 5].map(short).join())
  })
})

test('ids are hexadecimal, valid and different', () => {
  const ids = createIds()
  const all = Array.from({ length: 10_000 }, () => ids.mint())
  for (const { traceId, spanId } of all) {
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).toEqual({ traceId, parentId: spanId, sampled: false })
  }
  expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(10_000)
  expect(new Set(all.map(({ spanId }) => spanId)).size).toBe(10_000)
  expect(ids.mintSpanId()).toMatch(/^[0-9a-f]{16}$/)
})

test('an id never consists of zeros', () => {
  const { random } = Math
  Math.random = () => 0
  try {
    const ids = createIds()
    const { traceId, spanId } = ids.mint()
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).toBeDefined()
    expect(ids.mintSpanId()).not.toBe('0'.repeat(16))
  } finally {
    Math.random = random
  }
})
