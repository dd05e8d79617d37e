import { expect, test } from '@jest/globals'
import { type Budget, judge, readBudgets } from './budgets.ts'

const budget: Budget = {
  measurement: 'ping',
  of: 'service',
  to: 'raw',
  limit: { atLeast: 0.5 },
  quick: { atLeast: 0.4 },
  reason: 'a test',
}
const ping = (service: number) => ({
  name: 'ping',
  title: 'GET /ping',
  unit: 'requests/s' as const,
  base: 'raw',
  rows: { raw: [100, 10], service: [service, service / 10] },
})
const holds = (...args: Parameters<typeof judge>) => judge(...args).map((verdict) => verdict.holds)

test('a budget holds at its limit and fails beyond it', () => {
  expect(holds([budget], [ping(50)], { quick: false })).toEqual([true])
  expect(holds([budget], [ping(49)], { quick: false })).toEqual([false])
  expect(holds([{ ...budget, limit: { atMost: 0.5 } }], [ping(50)], { quick: false })).toEqual([true])
  expect(holds([{ ...budget, limit: { atMost: 0.5 } }], [ping(51)], { quick: false })).toEqual([false])
})

test('a quick run uses the quick limits, and skips budgets without a quick limit', () => {
  const { quick: _, ...unstable } = budget
  expect(holds([budget, unstable], [ping(40)], { quick: true })).toEqual([true])
  expect(holds([budget, unstable], [ping(39)], { quick: true })).toEqual([false])
})

test('a budget without a row to compare with limits the value itself', () => {
  const { to: _, ...absolute } = { ...budget, of: 'raw', limit: { atMost: 55 } }
  expect(holds([absolute], [ping(1)], { quick: false })).toEqual([true])
  expect(holds([{ ...absolute, limit: { atMost: 54 } }], [ping(1)], { quick: false })).toEqual([false])
})

test('a missing row breaks its budget, and so does a missing measurement in a complete run', () => {
  expect(holds([{ ...budget, of: 'missing' }], [ping(50)], { quick: false })).toEqual([false])
  const missing = { ...budget, measurement: 'start-up, ping' }
  expect(holds([missing], [ping(50)], { quick: false })).toEqual([])
  expect(holds([missing], [ping(50)], { quick: false, isComplete: true })).toEqual([false])
})

test('every quick limit is at least as generous as its full limit', () => {
  const number = (limit: object | undefined) => Object.values(limit ?? {})[0]
  for (const { limit, quick = limit } of readBudgets()) {
    expect(Object.keys(quick)).toEqual(Object.keys(limit))
    const slack = 'atLeast' in limit ? number(limit) - number(quick) : number(quick) - number(limit)
    expect(slack).toBeGreaterThanOrEqual(0)
  }
})
