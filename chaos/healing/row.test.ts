import { expect, test } from '@jest/globals'
import { isMet, type Row, report, summarize } from './row.ts'
import { recoveredAfter } from './users.ts'

test('the median of an even number of values is the mean of the middle values', () => {
  expect(summarize([1], {})).toEqual({ median: 1, worst: 1 })
  expect(summarize([9, 1, 2], {})).toEqual({ median: 2, worst: 9 })
  expect(summarize([4, 1, 2, 9], {})).toEqual({ median: 3, worst: 9 })
})

test('the worst value of a minimum is the smallest', () => {
  expect(summarize([90, 70, 80], { isMinimum: true })).toEqual({ median: 80, worst: 70 })
})

test.each([
  [[1, 2], { limit: 2 }, true],
  [[1, 2.1], { limit: 2 }, false],
  [[80, 90], { limit: 80, isMinimum: true }, true],
  [[79, 90], { limit: 80, isMinimum: true }, false],
  [[], { limit: 2 }, false],
  [[1, Number.NaN], { limit: 2 }, false],
  [[Number.NaN], {}, true],
])('of the values %j the goal %j is met: %s', (values, goal, met) => {
  expect(isMet(values, { name: 'detected', unit: 's', ...goal })).toBe(met)
})

const row: Row = {
  name: 'payments',
  fault: 'payments fails',
  healer: 'in process',
  goals: [
    { name: 'detected', unit: 's', limit: 2 },
    { name: 'failed', unit: '' },
    { name: 'goodput', unit: '%', limit: 80, isMinimum: true },
  ],
  isQuick: true,
  measure: async () => ({ samples: [] }),
}

test('a missed goal has a mark in the table and is a problem', () => {
  const samples = [
    { detected: 1, failed: 3, goodput: 85 },
    { detected: 2.25, failed: 5, goodput: 90 },
  ]
  expect(report(row, { samples })).toEqual({
    lines: [
      '| payments fails | in process | detected | ≤ 2 s | 1.6 s | 2.3 s ✗ | 2 |',
      '| payments fails | in process | failed | – | 4 | 5 | 2 |',
      '| payments fails | in process | goodput | ≥ 80 % | 88 % | 85 % | 2 |',
    ],
    problems: ['payments fails, in process: detected 2.3 s, expected ≤ 2 s'],
  })
})

test('a row for which the machine was too busy has no problems', () => {
  expect(report(row, { samples: [{ detected: 9 }], invalid: 'busy' }).problems).toEqual([])
})

test('a recovery ends with the last bad request, and has no time when there are no requests', () => {
  const good = { sentAt: 1_500, endedAt: 1_510, status: 200 }
  expect(recoveredAfter(1_000, [good])).toBe(0)
  const [slow, failed] = [
    { ...good, endedAt: 1_900 },
    { ...good, endedAt: 1_700, status: 0 },
  ]
  expect(recoveredAfter(1_000, [good, slow, failed])).toBe(0.9)
  expect(recoveredAfter(1_000, [])).toBeNaN()
})
