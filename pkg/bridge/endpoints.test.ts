import { expect, test } from '@jest/globals'
import { canonicalAddress, integerWeights, isSame, readEndpoints, subtract, toKey, union } from './endpoints.ts'

const endpoint = (host: string, weight = 1) => ({ host, port: 80, weight })

test.each([
  'a\nserver 6.6.6.6',
  '10.0.0.1;',
  '10.0.0.1 backup',
  '10.0.0.1\n',
  ' 10.0.0.1',
  '10.0.0.1:80',
  '[::1]',
  'fe80::1%eth0',
  'fe80::1%;quit',
  'orders.example.com',
  'unix:/run/x.sock',
  '0.0.0.0',
  '::',
  '1',
  '0x7f.1',
  '',
])('%j is no address of an instance', (host) => {
  expect(canonicalAddress(host)).toBeUndefined()
  expect(readEndpoints([{ id: 'a', host, port: 80 }])).toMatchObject({ endpoints: [], invalid: [expect.any(String)] })
})

test('the log quotes an invalid instance in one short line', () => {
  const { invalid } = readEndpoints([{ id: 'a\nb', host: 'x'.repeat(10_000), port: 80 }])
  expect(invalid[0]).toMatch(/^"a\\nb x+"$/)
  expect(invalid[0]?.length).toBeLessThan(110)
})

test.each([0, -1, 65_536, 80.5, Number.NaN, '80' as never, undefined as never])('%p is no port', (port) => {
  expect(readEndpoints([{ id: 'a', host: '10.0.0.1', port }]).endpoints).toEqual([])
})

test('equal addresses are one endpoint, and the order does not depend on the registry', () => {
  const a = { id: 'a', host: '10.0.0.1', port: 80 }
  const b = { id: 'b', host: '2001:DB8:0::1', port: 80 }
  const c = { id: 'c', host: '2001:db8::1', port: 80 }
  const expected = [endpoint('10.0.0.1'), endpoint('2001:db8::1')]
  expect(readEndpoints([a, b, c]).endpoints).toEqual(expected)
  expect(readEndpoints([c, b, a, a]).endpoints).toEqual(expected)
  expect(expected.map(toKey)).toEqual(['10.0.0.1:80', '[2001:db8::1]:80'])
})

test('an invalid weight becomes 1', () => {
  const weights = [-1, Number.NaN, Number.POSITIVE_INFINITY, 0, 2.5]
  const list = weights.map((weight, i) => ({ id: '', host: `10.0.0.${i + 1}`, port: 80, weight }))
  expect(readEndpoints(list).endpoints.map(({ weight }) => weight)).toEqual([1, 1, 1, 0, 2.5])
})

test.each([
  [
    [1, 1],
    [1, 1],
  ],
  [
    [10_000, 10_000, 0],
    [1, 1, 0],
  ],
  [
    [1, 2.5, 5],
    [20, 50, 100],
  ],
  [
    [0.001, 100],
    [1, 100],
  ],
  [
    [0, 0],
    [0, 0],
  ],
  [[], []],
])('weights %j become %j', (weights, expected) => {
  expect(integerWeights(weights.map((weight) => endpoint('10.0.0.1', weight)))).toEqual(expected)
})

test('lists are compared and joined by address', () => {
  const [a, b, c] = [endpoint('10.0.0.1'), endpoint('10.0.0.2'), endpoint('10.0.0.3')] as const
  expect(subtract([b, c], [a, b])).toEqual(['10.0.0.3:80'])
  expect(union([endpoint('10.0.0.2', 5), c], [a, b])).toEqual([a, endpoint('10.0.0.2', 5), c])
  expect(isSame([a, b], [a, b])).toBe(true)
  expect(isSame([a, b], [a])).toBe(false)
  expect(isSame([a], [endpoint('10.0.0.1', 2)])).toBe(false)
})
