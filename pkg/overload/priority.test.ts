import { expect, test } from '@jest/globals'
import { BUCKETS, findBucket } from './priority.ts'

const callers = Array.from({ length: 10_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)

test('a caller keeps its bucket for one period and gets another bucket in the next period', () => {
  expect(findBucket('10.0.0.1', 5)).toBe(findBucket('10.0.0.1', 5))
  const moved = callers.filter((caller) => findBucket(caller, 5) !== findBucket(caller, 6))
  expect(moved.length / callers.length).toBeGreaterThan(0.95)
})

test('similar addresses spread over all buckets', () => {
  const counts = Array<number>(BUCKETS).fill(0)
  for (const caller of callers) counts[findBucket(caller, 400_000)]!++
  const average = callers.length / BUCKETS
  expect(Math.min(...counts)).toBeGreaterThan(average / 2)
  expect(Math.max(...counts)).toBeLessThan(average * 2)
})
