import { expect, test } from '@jest/globals'
import { inRounds, median, ratios } from './measurement.ts'

test('a median is the value in the middle, or between the two in the middle', () => {
  expect(median([3, 1, 100])).toBe(3)
  expect(median([4, 1, 3, 100])).toBe(3.5)
})

test('the median of nothing compares with nothing', () => {
  expect(median([])).toBeNaN()
})

test('ratios are taken within a round, so that a slow round changes none', () => {
  expect(ratios({ rows: { a: [10, 5], b: [20, 10] } }, 'a', 'b')).toEqual([0.5, 0.5])
})

test('a row that was not measured has no ratio', () => {
  expect(ratios({ rows: { a: [1] } }, 'a', 'b')).toEqual([Number.NaN])
  expect(ratios({ rows: { b: [1] } }, 'a', 'b')).toEqual([])
})

test('rounds measure every row in turn', async () => {
  const order: string[] = []
  const rows = await inRounds(2, { first: 'a', second: 'b' }, async (item) => {
    order.push(item)
    return order.length
  })
  expect(order).toEqual(['a', 'b', 'a', 'b'])
  expect(rows).toEqual({ first: [1, 3], second: [2, 4] })
})
