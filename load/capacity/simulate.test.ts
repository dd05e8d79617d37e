import { expect, test } from '@jest/globals'
import { percentile } from '../../test/support/open-loop.ts'
import { createRandom, type System, simulate } from './simulate.ts'

/** Ten connections of 50 ms each: 200 requests a second. */
const system: System = {
  instances: 1,
  poolMax: 10,
  cpuMs: 0.01,
  holdMs: 50,
  databaseCpuMs: 0,
  databaseCores: 1,
}

const exponential =
  (meanMs: number, random = createRandom(7)) =>
  () =>
    -Math.log(1 - random()) * meanMs

/** Erlang's C formula: the probability that a request waits in a queue with `servers` servers at `load` Erlangs. */
function erlangC(servers: number, load: number): number {
  let blocked = 1
  for (let n = 1; n <= servers; n++) blocked = (load * blocked) / (n + load * blocked)
  return blocked / (1 - (load / servers) * (1 - blocked))
}

test('requests of an idle system take their service time', () => {
  const { latenciesMs, failed } = simulate(system, { ratePerSecond: 10, durationMs: 5_000 })
  expect(failed).toBe(0)
  expect(latenciesMs).toHaveLength(40)
  expect(Math.max(...latenciesMs)).toBeCloseTo(50.01)
})

test('the wait of random requests is that of the queue M/M/c', () => {
  const meanMs = 50
  for (const load of [6, 8]) {
    const { latenciesMs } = simulate(
      { ...system, cpuMs: 0, holdMs: exponential(meanMs), queueTimeoutMs: Number.POSITIVE_INFINITY },
      { ratePerSecond: (load * 1_000) / meanMs, durationMs: 1_000_000, arrivals: 'random', random: createRandom(3) },
    )
    const mean = latenciesMs.reduce((sum, each) => sum + each, 0) / latenciesMs.length
    const expected = meanMs + (erlangC(10, load) * meanMs) / (10 - load)
    expect(Math.abs(mean / expected - 1)).toBeLessThan(0.03)
  }
})

test('requests fail when they wait too long for a connection', () => {
  const { latenciesMs, failed } = simulate(system, { ratePerSecond: 400, durationMs: 10_000 })
  expect(failed / (failed + latenciesMs.length)).toBeCloseTo(0.5, 1)
  expect(percentile(latenciesMs, 100)).toBeLessThanOrEqual(300.1)
})

test('instances share the cores of the database', () => {
  const busy = { ...system, holdMs: 0, databaseCpuMs: 10, databaseCores: 2 }
  const failures = (instances: number, ratePerSecond: number) =>
    simulate({ ...busy, instances }, { ratePerSecond, durationMs: 10_000 }).failed
  for (const instances of [1, 4]) {
    expect(failures(instances, 195)).toBe(0)
    expect(failures(instances, 260)).toBeGreaterThan(0)
  }
})

test('instances do not share their event loops and connections', () => {
  const failures = (instances: number) =>
    simulate({ ...system, cpuMs: 1, instances }, { ratePerSecond: 390, durationMs: 10_000 }).failed
  expect(failures(1)).toBeGreaterThan(0)
  expect(failures(2)).toBe(0)
})
