import { expect, test } from '@jest/globals'
import type { StepResult } from '../measure.ts'
import { type Costs, computeCosts, predictKnee } from './model.ts'

/** A step in which a request takes 2 ms of its instance, 0.5 ms of the database, and holds a connection for 10 ms. */
const step = (rate: number, durationS: number): StepResult => ({
  ...{ rate, durationS, offered: rate, achieved: rate, errors: {}, errorShare: 0 },
  ...{ p50Ms: 15, p95Ms: 20, p99Ms: 30, maxMs: 40 },
  evidence: {
    generator: { lagMs: 1, cpu: 0.001 * rate },
    processes: [
      { name: 'service 1', kind: 'service', cpu: 0.001 * rate },
      { name: 'service 2', kind: 'service', cpu: 0.001 * rate },
      { name: 'postgres', kind: 'database', cpu: 0.0005 * rate },
      { name: 'nginx', kind: 'proxy', cpu: 0.0001 * rate },
    ],
    pool: { used: 0.01 * rate, open: 10, pending: 0, timeouts: 0 },
  },
})

test('the costs of a request are the use of the processes and connections, divided by the requests', () => {
  const costs = computeCosts([step(100, 5), step(200, 5)])
  const expected = { cpuMs: 2, databaseCpuMs: 0.5, linkCpuMs: 3.6, connectionMs: 10, otherMs: 3 }
  for (const [name, value] of Object.entries(expected)) expect(costs[name as keyof Costs]).toBeCloseTo(value)
})

const costs = { cpuMs: 1, databaseCpuMs: 0.01, linkCpuMs: 2, connectionMs: 5, otherMs: 1 }
const plan = {
  ...{ costs, instances: 1, poolMax: 10, databaseCores: 1, warmUpS: 1, durationS: 5 },
  slo: [{ figure: 'p99Ms', belowMs: 100 }] as const,
}

test.each([
  { limit: 'event loop', change: {}, rate: 1_000 },
  { limit: 'event loops of two instances', change: { instances: 2 }, rate: 2_000 },
  { limit: 'pool', change: { poolMax: 1 }, rate: 200 },
  { limit: 'cores of the database', change: { costs: { ...costs, databaseCpuMs: 4 }, poolMax: 50 }, rate: 250 },
])('the predicted knee is $rate requests a second when the $limit is the limit', async ({ change, rate }) => {
  const knee = await predictKnee({ ...plan, ...change })
  expect(knee / rate).toBeGreaterThan(0.95)
  expect(knee / rate).toBeLessThan(1.05)
})

test('the predicted knee is lower with random arrivals, and with the rest of the latency above the objective it is 0', async () => {
  expect(await predictKnee({ ...plan, arrivals: 'random' })).toBeLessThan(await predictKnee(plan))
  expect(await predictKnee({ ...plan, costs: { ...costs, otherMs: 200 } })).toBe(0)
})
