import { expect, test } from '@jest/globals'
import { type Findable, listFindings } from './findings.ts'
import type { RequestSummary } from './requests.ts'
import type { Report } from './statistics.ts'

const NOW = 1e12
const window = { rate: 1, failed: 0, p50: 10, p99: 20 }
const route: Report = { name: 'GET /v1/items', now: window, recent: window, slots: [] }
const request: RequestSummary = {
  ...{ requestId: 'a', traceId: 't', spanId: 's', name: 'GET /v1/items', path: '/v1/items', status: 200 },
  ...{ startedAt: NOW - 5_000, durationMs: 312, isFailed: false, error: undefined },
  cause: 'database SELECT items 300 ms of 312 ms',
}
const find = (state: Partial<Findable>) =>
  listFindings({ phase: 'serving', checks: {}, routes: [route], slowest: [], failed: [], now: NOW, ...state })

test('a healthy service has no findings', () => {
  expect(find({ checks: { redis: { status: 'ok' } } })).toEqual([])
})

test('a slow request is a finding with its cause', () => {
  const text = 'GET /v1/items is slow: database SELECT items 300 ms of 312 ms'
  expect(find({ slowest: [request] })).toEqual([{ text, requestId: 'a' }])
})

test('a request that is usual for its route, fast, or older than a minute is not a finding', () => {
  const usual = { ...route, recent: { ...window, p50: 300 } }
  expect(find({ slowest: [request], routes: [usual] })).toEqual([])
  expect(find({ slowest: [{ ...request, durationMs: 99 }] })).toEqual([])
  expect(find({ slowest: [{ ...request, startedAt: NOW - 70_000 }] })).toEqual([])
})

test('a route whose requests fail is a finding with an error', () => {
  const failed = [{ ...request, isFailed: true, status: 503 }]
  const routes = [{ ...route, now: { ...window, failed: 0.12 } }]
  expect(find({ failed, routes })).toEqual([
    { text: 'GET /v1/items fails for 12 % of the requests: status 503', requestId: 'a' },
  ])
  const errors = [{ ...request, error: 'database SELECT items: 57014' }]
  expect(find({ failed: errors, routes })[0]?.text).toMatch(/database SELECT items: 57014$/)
  expect(find({ failed })).toEqual([])
})

test('a phase and a failing check are findings', () => {
  const checks = { database: { status: 'fail', reason: 'timeout' }, redis: { status: 'fail' } }
  const texts = find({ phase: 'draining', checks }).map(({ text }) => text)
  expect(texts).toEqual(['The service is draining.', 'The check database fails: timeout.', 'The check redis fails.'])
})
