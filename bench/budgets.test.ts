import { expect, test } from '@jest/globals'
import { type Budget, judge, readBudgets } from './budgets.ts'

const budget: Budget = {
  measurement: 'ping',
  of: 'service',
  to: 'raw',
  limit: { atLeast: 0.5 },
  quick: { atLeast: 0.4 },
  reason: 'of a test',
}
const ping = (service: number) => ({
  name: 'ping',
  title: 'GET /ping',
  unit: 'requests/s' as const,
  base: 'raw',
  rows: { raw: [100, 10], service: [service, service / 10] },
})
const holds = (...args: Parameters<typeof judge>) => judge(...args).map((verdict) => verdict.holds)

test('a budget holds at its limit and not beyond', () => {
  expect(holds([budget], [ping(50)], { quick: false })).toEqual([true])
  expect(holds([budget], [ping(49)], { quick: false })).toEqual([false])
  expect(holds([{ ...budget, limit: { atMost: 0.5 } }], [ping(50)], { quick: false })).toEqual([true])
  expect(holds([{ ...budget, limit: { atMost: 0.5 } }], [ping(51)], { quick: false })).toEqual([false])
})

test('a quick run is held to the generous limit, and to none that has no such', () => {
  const { quick: _, ...unstable } = budget
  expect(holds([budget, unstable], [ping(40)], { quick: true })).toEqual([true])
  expect(holds([budget, unstable], [ping(39)], { quick: true })).toEqual([false])
})

test('a budget to nothing else limits the value', () => {
  const { to: _, ...absolute } = { ...budget, of: 'raw', limit: { atMost: 55 } }
  expect(holds([absolute], [ping(1)], { quick: false })).toEqual([true])
  expect(holds([{ ...absolute, limit: { atMost: 54 } }], [ping(1)], { quick: false })).toEqual([false])
})

test('a row that is missing breaks its budget, a measurement that was not asked for does not', () => {
  expect(holds([{ ...budget, of: 'nobody' }], [ping(50)], { quick: false })).toEqual([false])
  expect(holds([{ ...budget, measurement: 'start-up, ping' }], [ping(50)], { quick: false })).toEqual([])
})

test('no quick limit is stricter than the one it stands for', () => {
  const number = (limit: object | undefined) => Object.values(limit ?? {})[0]
  for (const { limit, quick = limit } of readBudgets()) {
    expect(Object.keys(quick)).toEqual(Object.keys(limit))
    const slack = 'atLeast' in limit ? number(limit) - number(quick) : number(quick) - number(limit)
    expect(slack).toBeGreaterThanOrEqual(0)
  }
})
