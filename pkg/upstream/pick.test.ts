import { expect, test } from '@jest/globals'
import { type Candidate, type Load, observe, UNKNOWN } from './load.ts'
import { pick } from './pick.ts'

interface Simulated extends Candidate {
  readonly name: string
  readonly latencyMs: number
  load: Load
  readonly starts: number[]
  served: number
}

function simulated(name: string, latencyMs: number): Simulated {
  return {
    name,
    latencyMs,
    load: UNKNOWN,
    starts: [],
    served: 0,
    get inFlight() {
      return this.starts.length
    },
    get oldestAt() {
      return this.starts[0]
    },
  }
}

/** A generator of reproducible numbers (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Choose = (instances: readonly Simulated[], now: number, index: number) => Simulated

/** Runs requests at a fixed rate in simulated time. Returns the sorted latencies. */
function simulate(
  instances: readonly Simulated[],
  { rate, seconds, choose }: { rate: number; seconds: number; choose: Choose },
) {
  const ends: { at: number; startedAt: number; instance: Simulated }[] = []
  const latencies: number[] = []
  for (let index = 0; index < rate * seconds; index++) {
    const now = (index * 1_000) / rate
    ends.sort((a, b) => a.at - b.at)
    while (ends[0] !== undefined && ends[0].at <= now) {
      const { at, startedAt, instance } = ends.shift()!
      instance.starts.shift()
      instance.load = observe(instance.load, { latencyMs: at - startedAt, ok: true, now: at })
    }
    const instance = choose(instances, now, index)
    instance.served++
    instance.starts.push(now)
    latencies.push(instance.latencyMs)
    ends.push({ at: now + instance.latencyMs, startedAt: now, instance })
  }
  return latencies.sort((a, b) => a - b)
}

const p99 = (sorted: readonly number[]) => sorted[Math.ceil(sorted.length * 0.99) - 1]

test.each([
  [50, 1],
  [50, 2],
  [1_000, 3],
  [1_000, 4],
])('at %i requests/s an instance that takes 500 ms instead of 20 gets at most 1 %% (seed %i)', (rate, seed) => {
  const random = seeded(seed)
  const instances = [simulated('a', 20), simulated('b', 20), simulated('slow', 500)]
  const latencies = simulate(instances, { rate, seconds: 30, choose: (all, now) => pick(all, random, now)! })
  expect(instances[2]!.served / latencies.length).toBeLessThanOrEqual(0.01)
  expect(p99(latencies)).toBe(20)
  // The fast instances share the other requests.
  expect(instances[0]!.served / instances[1]!.served).toBeGreaterThan(0.8)
  expect(instances[0]!.served / instances[1]!.served).toBeLessThan(1.25)

  const naive = [simulated('a', 20), simulated('b', 20), simulated('slow', 500)]
  const roundRobin: Choose = (all, _now, index) => all[index % all.length]!
  expect(p99(simulate(naive, { rate, seconds: 30, choose: roundRobin }))).toBe(500)
  expect(naive[2]!.served / latencies.length).toBeCloseTo(1 / 3, 2)
})

test('the two candidates differ, and every pair occurs', () => {
  const instances = ['a', 'b', 'c', 'd'].map((name) => simulated(name, 1))
  const random = seeded(5)
  const served = new Set<string>()
  for (let index = 0; index < 200; index++) served.add(pick(instances, random, 0)!.name)
  expect(served.size).toBe(4)
  // With two instances, both are always compared, so the busy instance is never picked.
  const busy = { ...simulated('busy', 1), inFlight: 5, oldestAt: 0 }
  for (let index = 0; index < 200; index++) expect(pick([busy, instances[0]!], random, 10)).toBe(instances[0])
})

test('without instances, pick returns undefined', () => {
  expect(pick([], Math.random, 0)).toBeUndefined()
})
