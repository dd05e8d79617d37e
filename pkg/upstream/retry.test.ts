import { expect, test } from '@jest/globals'
import { createRetryBudget, isIdempotent, parseRetryAfter, planRetry, type RetryQuestion } from './retry.ts'

const question: RetryQuestion = {
  kind: 'broken',
  isRepeatable: true,
  retries: 0,
  hadFreeRetry: false,
  leftMs: 1_000,
  random: () => 1,
}
const plan = (changes: Partial<RetryQuestion>) => planRetry({ ...question, ...changes })

test('retries never exceed a tenth of the requests plus ten, in any order of requests and failures', () => {
  const budget = createRetryBudget()
  let retries = 0
  for (let requests = 1; requests <= 100_000; requests++) {
    budget.deposit()
    // Each request fails and asks for two retries.
    for (let ask = 0; ask < 2; ask++) if (budget.withdraw()) retries++
    expect(retries).toBeLessThanOrEqual(requests * 0.1 + 10)
  }
  expect(retries).toBe(10_010 - 1)
})

test('the budget saves at most ten retries', () => {
  const budget = createRetryBudget()
  for (let requests = 0; requests < 10_000; requests++) budget.deposit()
  expect(budget.left()).toBe(10)
})

test('a request that may have run is retried only when it may run twice', () => {
  for (const failure of [{ kind: 'broken' }, { kind: 'invalid' }, { kind: 'status', status: 503 }] as const) {
    expect(plan(failure)).toEqual({ delayMs: 25, isFree: false })
    expect(plan({ ...failure, isRepeatable: false })).toBeUndefined()
  }
})

test('a request that was not sent is retried with any method', () => {
  expect(plan({ kind: 'refused', isRepeatable: false })).toEqual({ delayMs: 25, isFree: false })
  expect(plan({ kind: 'stale', isRepeatable: false })).toEqual({ delayMs: 0, isFree: true })
})

test('the retry after a closed idle connection is free once', () => {
  expect(plan({ kind: 'stale', hadFreeRetry: true })).toEqual({ delayMs: 25, isFree: false })
})

test.each([
  ['a third time', { retries: 2 }],
  ['after the deadline', { leftMs: 25 }],
  ['after a timeout', { kind: 'timeout' }],
  ['when the caller is gone', { kind: 'cancelled' }],
  ['after a 500, which would repeat', { kind: 'status', status: 500 }],
  ['when retry-after is later than the deadline', { kind: 'status', status: 429, retryAfterMs: 1_000 }],
] as const)('no retry %s', (_name, changes) => {
  expect(plan(changes)).toBeUndefined()
})

test('the delay has full jitter, grows, and heeds retry-after', () => {
  expect(plan({ random: () => 0 })?.delayMs).toBe(0)
  expect(plan({ retries: 1 })?.delayMs).toBe(75)
  expect(plan({ kind: 'status', status: 429, retryAfterMs: 400 })?.delayMs).toBe(400)
})

test('retry-after is read as seconds and as a date', () => {
  expect(parseRetryAfter('2', 0)).toBe(2_000)
  expect(parseRetryAfter('99999999999', 0)).toBe(99_999_999_999_000)
  expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 2_000)).toBe(3_000)
  expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 9_000)).toBe(0)
  expect(parseRetryAfter('soon', 0)).toBeUndefined()
  expect(parseRetryAfter(undefined, 0)).toBeUndefined()
})

test('POST and PATCH are not idempotent', () => {
  const methods = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH']
  expect(methods.filter((method) => !isIdempotent(method))).toEqual(['POST', 'PATCH'])
})
