import { expect, test } from '@jest/globals'
import { findCause } from './cause.ts'
import type { FinishedSpan } from './span.ts'

let count = 0
function span(name: string, from: number, to: number, fields: Partial<FinishedSpan> = {}): FinishedSpan {
  const times = { startedAt: 1_000 + from, durationMs: to - from }
  return { traceId: 't', spanId: `s${count++}`, name, kind: 'client', attributes: {}, ...times, ...fields }
}

const postgres = { attributes: { 'db.system.name': 'postgresql' } }
const request = (to: number) => span('GET /v1/items', 0, to, { kind: 'server', spanId: 'request' })

test('the query that takes most of the request is the cause', () => {
  const query = span('SELECT items', 4, 304, postgres)
  const redis = span('GET', 1, 3, { attributes: { 'db.system.name': 'redis' } })
  expect(findCause(request(312), [redis, query])).toBe('database SELECT items 300 ms of 312 ms')
  expect(findCause(request(3.04), [redis])).toBe('redis GET 2 ms of 3 ms')
})

test('a span that waits for its child is not the cause', () => {
  const outer = span('read items', 0, 300, { kind: 'internal', spanId: 'outer' })
  const query = span('SELECT items', 50, 290, { ...postgres, parentId: 'outer' })
  expect(findCause(request(312), [query, outer])).toBe('database SELECT items 240 ms of 312 ms')
})

test('spans of the same work count together, and parallel spans count once', () => {
  const queries = Array.from({ length: 40 }, (_, index) => span('SELECT items', index * 5, index * 5 + 4, postgres))
  const upstream = span('GET', 200, 240, { attributes: { 'server.address': 'prices.internal' } })
  expect(findCause(request(250), [...queries, upstream])).toBe('database SELECT items × 40 160 ms of 250 ms')
  const parallel = [span('GET', 0, 60), span('GET', 0, 60)]
  expect(findCause(request(160), [...parallel, span('SELECT items', 60, 150, postgres)])).toMatch(/^database .* 90 ms/)
})

test('a call is named with its upstream, or with its address', () => {
  const upstream = span('GET', 1, 99, { attributes: { 'server.address': 'prices.internal' } })
  expect(findCause(request(100), [upstream])).toBe('upstream GET prices.internal 98 ms of 100 ms')
  expect(findCause(request(100), [{ ...upstream, name: 'GET prices' }])).toBe('upstream GET prices 98 ms of 100 ms')
})

test('time outside spans is the time of code without a span', () => {
  expect(findCause(request(100), [span('SELECT items', 0, 20, postgres)])).toBe('code without a span 80 ms of 100 ms')
  expect(findCause(request(0), [])).toBe('code without a span 0 ms of 0 ms')
})

test('the time of a span after the end of its request does not count', () => {
  const late = span('SELECT items', 90, 5_000, postgres)
  expect(findCause(request(100), [late])).toBe('code without a span 90 ms of 100 ms')
})
