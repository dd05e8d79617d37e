import { expect, test } from '@jest/globals'
import { computeCost, findMedianLatency, type Load, observe, UNKNOWN } from './load.ts'

const sample = (load: Load, latencyMs: number | undefined, now: number, ok = true) =>
  observe(load, { latencyMs, ok, now })

const idle = { inFlight: 0, oldestAt: undefined }

test('a higher latency counts at once, and a lower latency counts with the time since the last sample', () => {
  const first = sample(UNKNOWN, 20, 0)
  expect(first.latencyMs).toBe(20)
  const slow = sample(first, 500, 1)
  expect(slow.latencyMs).toBe(500)
  expect(sample(slow, 20, 2).latencyMs).toBeCloseTo(499.95, 1)
  expect(sample(slow, 20, 10_001).latencyMs).toBeCloseTo(20 + 480 / Math.E)
  // A failure without a latency is no sample of the latency.
  expect(sample(sample(slow, undefined, 10_000, false), 20, 10_001).latencyMs).toBeCloseTo(20 + 480 / Math.E)
})

test('a failure that is faster than a success does not make the instance cheaper', () => {
  let load = sample(UNKNOWN, 20, 0)
  for (let index = 0; index < 30; index++) load = sample(load, undefined, index, false)
  expect(load.latencyMs).toBe(20)
  expect(load.success).toBeCloseTo(0.9 ** 30)
  expect(computeCost({ load, ...idle }, 30, 1)).toBeGreaterThan(20 * 20)
})

test('the cost grows with the requests in flight and with the age of the oldest request', () => {
  const load = sample(UNKNOWN, 20, 0)
  expect(computeCost({ load, ...idle }, 100, 1)).toBe(20)
  expect(computeCost({ load, inFlight: 3, oldestAt: 95 }, 100, 1)).toBe(80)
  expect(computeCost({ load, inFlight: 3, oldestAt: 0 }, 100, 1)).toBe(400)
})

test('an instance without samples has the median latency of the other instances', () => {
  const known = [10, 30, 500].map((latencyMs) => ({ load: sample(UNKNOWN, latencyMs, 0), ...idle }))
  const median = findMedianLatency([...known, { load: UNKNOWN, ...idle }])
  expect(median).toBe(30)
  expect(computeCost({ load: UNKNOWN, ...idle }, 0, median)).toBe(30)
})

test('the cost of an instance that always fails is limited, so that it can recover', () => {
  let load: Load = { latencyMs: 20, success: 0, sampledAt: 0 }
  expect(computeCost({ load, ...idle }, 0, 1)).toBe(2_000)
  for (let index = 0; index < 30; index++) load = sample(load, 20, 0)
  expect(computeCost({ load, ...idle }, 0, 1)).toBeLessThan(22)
})
