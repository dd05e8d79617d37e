import { expect, test } from '@jest/globals'
import { percentile } from '../../test/support/open-loop.ts'
import type { StepResult } from '../measure.ts'
import { renderCapacityChart } from './chart.ts'
import { evaluate, type Rig } from './evaluate.ts'
import { readOptions } from './options.ts'
import { listProblems, renderReport } from './report.ts'
import { simulate } from './simulate.ts'

const MIB = 1024 ** 2

interface FakeSystem {
  readonly holdMs?: number
  /** Processor time of a request that the evidence shows. */
  readonly cpuMs?: number
  /** Factor of `holdMs` with more than one instance, which the model cannot know. */
  readonly contention?: number
  readonly lagMs?: number
  readonly hasProcesses?: boolean
  /** Cores that other programs use. */
  readonly others?: number
}

/** Returns rigs whose instances are simulated: pools of 10 connections. */
function fakeRigs(fake: FakeSystem = {}) {
  const { holdMs = 50, cpuMs = 1, contention = 1, lagMs = 1, hasProcesses = true, others = 0 } = fake
  return async function openRig(instances: number): Promise<Rig> {
    return {
      async measure({ rate, warmUpS, durationS }): Promise<StepResult> {
        const hold = holdMs * (instances > 1 ? contention : 1)
        const { latenciesMs, failed } = simulate(
          { instances, poolMax: 10, cpuMs, holdMs: hold, databaseCpuMs: 0, databaseCores: 1 },
          { ratePerSecond: rate, warmUpMs: warmUpS * 1_000, durationMs: (warmUpS + durationS) * 1_000 },
        )
        const achieved = latenciesMs.length / durationS
        return {
          ...{ rate, durationS, offered: rate, achieved },
          errors: failed > 0 ? { 503: failed } : {},
          errorShare: failed / (failed + latenciesMs.length),
          p50Ms: percentile(latenciesMs, 50),
          p95Ms: percentile(latenciesMs, 95),
          p99Ms: percentile(latenciesMs, 99),
          maxMs: percentile(latenciesMs, 100),
          evidence: {
            generator: { lagMs, cpu: 0 },
            ...(hasProcesses && {
              processes: [{ name: 'service 1', kind: 'service', cpu: (achieved * cpuMs) / 1_000 }],
              machine: { cores: 2, busy: others / 2 + (achieved * cpuMs) / 2_000 },
              pool: { used: (achieved * hold) / 1_000, open: 10, pending: failed, timeouts: failed },
            }),
          },
        }
      },
      readRss: async () => (hasProcesses ? 100 * MIB : undefined),
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
}

const options = (env: Record<string, string> = {}) =>
  readOptions({ TARGET: '700', SLO: 'p99<250ms', QUICK: '1', INSTANCES: '1,2,4', ...env }, 2)

const run = (fake: FakeSystem = {}, env: Record<string, string> = {}) =>
  evaluate({ options: options(env), openRig: fakeRigs(fake), cores: 2, onProgress: () => undefined })

test('the model is fitted to one instance and predicts the knees of more instances', async () => {
  const capacity = await run()
  const { rows, use, sizing, isTargetHeld } = capacity
  expect(rows.map(({ instances }) => instances)).toEqual([1, 2, 4, 8, 16])
  for (const { instances, measured, simulated, deviation } of rows) {
    expect(simulated).toBeGreaterThan(190 * instances)
    expect(simulated).toBeLessThan(210 * instances)
    if (measured) expect(Math.abs(deviation ?? 1)).toBeLessThan(0.1)
    else expect(deviation).toBeUndefined()
  }
  expect(use.connectionMs).toBeCloseTo(50)
  expect(use.rssBytes).toBe(100 * MIB)
  // 700 / (0.7 × 200), or of a knee just below 200, so 5 or 6 replicas carry the target.
  expect(sizing?.needed).toBeGreaterThanOrEqual(5)
  expect(sizing?.needed).toBeLessThanOrEqual(6)
  expect(sizing?.pool?.perInstance).toBeLessThanOrEqual(10)
  expect(isTargetHeld).toBe(true)
  const svg = renderCapacityChart(capacity, 'Inserts')
  for (const name of ['1 instance', '4 instances', 'measured', 'simulated']) expect(svg).toContain(`>${name}</text>`)
})

test('a cost that grows with the instances shows as a deviation', async () => {
  const capacity = await run({ contention: 1.5 }, { INSTANCES: '1,2' })
  const { rows } = capacity
  expect(rows[1]?.deviation).toBeGreaterThan(0.3)
  expect(listProblems(capacity)).toEqual([
    expect.stringMatching(/^DEVIATION: the simulation of 2 instances deviates by [+]\d+[.]\d %, limit 15 %$/),
  ])
})

test('instances that need more cores than the machine has are not judged', async () => {
  const { rows } = await run({ holdMs: 1, cpuMs: 4 }, { INSTANCES: '1,4' })
  expect(rows[0]?.reason).toBeUndefined()
  expect(rows[1]?.reason).toMatch(/^the link would need 4[.]\d of the 2 cores of this machine$/)
})

test('a measurement beside other programs is not judged', async () => {
  const capacity = await run({ others: 1.5, contention: 2 }, { INSTANCES: '1,2' })
  const { rows } = capacity
  expect(rows[0]?.reason).toBe('other programs used 1.5 of the 2 cores')
  expect(listProblems(capacity)).toEqual([])
})

test('a running system of which only the address is known has a knee and replicas', async () => {
  const capacity = await run({ hasProcesses: false }, { URL: 'http://127.0.0.1:1', INSTANCES: '2' })
  expect(capacity.rows).toHaveLength(1)
  expect(capacity.rows[0]?.reason).toBe('the processes of the system are not visible')
  expect(capacity.use.ratePerSecond).toBeGreaterThan(190)
  expect(capacity.use.ratePerSecond).toBeLessThan(210)
  expect(capacity.sizing?.pool).toBeUndefined()
  expect(capacity.sizing?.replicas).toBe(8)
})

test('a system that fails at the lowest rate has no sizing, and the report says so', async () => {
  const capacity = await run({ holdMs: 300 })
  expect(capacity.rows[0]?.measured).toMatchObject({ ratePerSecond: 0, limit: 'lowest' })
  expect(capacity.sizing).toBeUndefined()
  expect(listProblems(capacity)).toEqual(['NO CAPACITY: 1 instance failed at the lowest rate'])
  const report = renderReport({ options: options(), capacity, name: 'orders', limits: new Map(), machine: 'a test' })
  expect(report).toContain('1 instance failed at the lowest rate')
  expect(report).toContain('no number of replicas carries the target')
})

test('several instances that fail at the lowest rate are a problem, although one instance has a knee', async () => {
  const capacity = await run({ contention: 20 }, { INSTANCES: '1,2' })
  expect(capacity.rows.map(({ measured }) => measured?.ratePerSecond)).toMatchObject([expect.any(Number), 0])
  expect(listProblems(capacity)).toEqual(['NO CAPACITY: 2 instances failed at the lowest rate'])
})

test('a late generator at the lowest rate gives no verdict about the system', async () => {
  const capacity = await run({ holdMs: 300, lagMs: 400 }, { INSTANCES: '1' })
  expect(listProblems(capacity)).toEqual(['NO VERDICT: the generator was late at the lowest rate of 1 instance'])
})

test('with a late generator, the knee is a lower bound and is not judged', async () => {
  const capacity = await run({ lagMs: 400 }, { INSTANCES: '1' })
  expect(capacity.rows[0]?.measured?.limit).toBe('generator')
  expect(capacity.rows[0]?.reason).toBe('the generator was the limit')
  const report = renderReport({ options: options(), capacity, name: 'orders', limits: new Map(), machine: 'a test' })
  expect(report).toContain('The knee is a lower bound.')
  expect(report).toMatch(/ % [(]not judged: the generator was the limit[)] [|]/)
})

test('the report marks each simulated figure, and has the limit of each measured row', async () => {
  const capacity = await run({}, { INSTANCES: '1' })
  const limits = new Map([[1, 'pool (10 connections)']])
  const report = renderReport({ options: options(), capacity, name: 'orders', limits, machine: 'a test' })
  expect(report).toContain('| 8 | not measured | – | ')
  expect(report).toContain('simulation only')
  expect(report).toContain('- The limit of 1 instance: pool (10 connections)')
  expect(report).toContain('name: orders')
  expect(report).toMatch(/- Replicas: \d+\. \d+ carry the target/)
  expect(report).toContain('Put PgBouncer in front')
})
