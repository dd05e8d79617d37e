import { expect, test } from '@jest/globals'
import { computeSizing } from './sizing.ts'

const MIB = 1024 ** 2

test('5000 requests a second need 12 replicas of 1000 each, with 30 % headroom and one of three zones lost', () => {
  // 5000 / (1000 × 0.7) = 7.14, so 8 replicas carry the target. 12 replicas lose 4.
  const sizing = computeSizing({ target: 5_000, use: { ratePerSecond: 1_000 } })
  expect(sizing).toEqual({
    replicas: 12,
    lost: 4,
    needed: 8,
    maxReplicas: 24,
    rate: 625,
    utilization: 70,
  })
})

test.each([
  // 3 replicas carry the target: 5 replicas are 2 + 2 + 1, and lose 2.
  { target: 2_100, zones: 3, replicas: 5, lost: 2 },
  { target: 2_100, zones: 2, replicas: 6, lost: 3 },
  { target: 2_100, zones: 1, replicas: 3, lost: 0 },
  { target: 2_100, zones: 5, replicas: 4, lost: 1 },
  { target: 2_101, zones: 3, replicas: 6, lost: 2 },
  // The target is below the rate of one instance, so a second instance is enough for the loss of a zone.
  { target: 10, zones: 3, replicas: 2, lost: 1 },
  { target: 10, zones: 1, replicas: 1, lost: 0 },
])('$target requests a second over $zones zones need $replicas replicas', ({ target, zones, replicas, lost }) => {
  const sizing = computeSizing({ target, zones, use: { ratePerSecond: 1_000 } })
  expect(sizing).toMatchObject({ replicas, lost })
  expect(sizing?.rate).toBeLessThanOrEqual(700)
})

test('a knee of 0 has no sizing', () => {
  expect(computeSizing({ target: 10, use: { ratePerSecond: 0 } })).toBeUndefined()
})

test('the CPU request is the use at the knee, and the autoscaler keeps the headroom', () => {
  const sizing = computeSizing({ target: 1, headroom: 0.4, use: { ratePerSecond: 1_000, cpu: 0.941 } })
  expect(sizing).toMatchObject({ cpuMillis: 950, utilization: 60 })
  expect(computeSizing({ target: 1, use: { ratePerSecond: 1_000, cpu: 0 } })?.cpuMillis).toBe(10)
})

test('the memory request is the memory at the knee with the headroom, in steps of 16 MiB, and the limit is twice', () => {
  // 110 × 1.3 = 143 MiB.
  const sizing = computeSizing({ target: 1, use: { ratePerSecond: 1_000, rssBytes: 110 * MIB } })
  expect(sizing?.memoryMib).toEqual({ request: 144, limit: 288 })
})

test('the pool follows from the rate of a replica while a zone is lost', () => {
  // 700 / (200 × 0.7) = 5, and 8 replicas lose 3. A replica then gets 140 requests a second, which hold 140 × 0.05 s =
  // 7 connections. With 30 % headroom these are 10. Twice 8 replicas and the surge have 17 × 11 connections.
  const sizing = computeSizing({ target: 700, maxConnections: 200, use: { ratePerSecond: 200, connectionMs: 50 } })
  expect(sizing).toMatchObject({ replicas: 8, lost: 3 })
  expect(sizing?.pool).toEqual({ perInstance: 10, needed: 191 })
})

test('a pooler is advised when PostgreSQL has fewer connections than the instances', () => {
  // 700 × 0.05 s / 0.7 = 50 connections do the work.
  const use = { ratePerSecond: 200, connectionMs: 50 }
  const { pool } = computeSizing({ target: 700, use }) ?? {}
  expect(pool?.pooler).toEqual({ maxClientConn: 187, defaultPoolSize: 50, isEnough: true })
  const large = computeSizing({ target: 7_000, use })
  expect(large?.pool?.pooler).toMatchObject({ defaultPoolSize: 500, isEnough: false })
})

test('an instance has at least two connections', () => {
  expect(computeSizing({ target: 1, use: { ratePerSecond: 1_000, connectionMs: 1 } })?.pool?.perInstance).toBe(2)
})

test('the cores of the database do not depend on the replicas', () => {
  // 5000 × 0.28 ms = 1.4 cores, which is 70 % of 2.
  const sizing = computeSizing({ target: 5_000, use: { ratePerSecond: 1_000, databaseCpuMs: 0.28 } })
  expect(sizing?.databaseCores).toBeCloseTo(2)
})
