import { expect, test } from '@jest/globals'
import { inRounds, median, medianInterval, ratios } from './measurement.ts'

test('a median is the middle value, or the mean of the two middle values', () => {
  expect(median([3, 1, 100])).toBe(3)
  expect(median([4, 1, 3, 100])).toBe(3.5)
})

test('the median of an empty list is NaN', () => {
  expect(median([])).toBeNaN()
})

test('the interval of a median is the whole range of a few values, and much narrower for many values', () => {
  expect(medianInterval([3, 1, 2])).toEqual([1, 3])
  expect(medianInterval(Array.from({ length: 9 }, (_, index) => index))).toEqual([1, 7])
  expect(medianInterval(Array.from({ length: 400 }, (_, index) => index))).toEqual([180, 219])
  expect(medianInterval([])).toEqual([Number.NaN, Number.NaN])
})

test('a ratio compares values of one round, so a slow round does not change it', () => {
  expect(ratios({ rows: { a: [10, 5], b: [20, 10] } }, 'a', 'b')).toEqual([0.5, 0.5])
})

test('a row without values has no ratio', () => {
  expect(ratios({ rows: { a: [1] } }, 'a', 'b')).toEqual([Number.NaN])
  expect(ratios({ rows: { b: [1] } }, 'a', 'b')).toEqual([])
})

test('each round measures every row in turn', async () => {
  const order: string[] = []
  const rows = await inRounds(2, { first: 'a', second: 'b' }, async (item) => {
    order.push(item)
    return order.length
  })
  expect(order).toEqual(['a', 'b', 'a', 'b'])
  expect(rows).toEqual({ first: [1, 3], second: [2, 4] })
})
