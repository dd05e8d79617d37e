import { expect, test } from '@jest/globals'
import { percentile } from '../../test/support/open-loop.ts'
import { findKnee, type Outcome } from './knee.ts'
import { createRandom, simulate } from './simulate.ts'

const heldUpTo =
  (limit: number) =>
  async (ratePerSecond: number): Promise<Outcome> => ({ isHeld: ratePerSecond <= limit, isValid: true })

test('the knee of an exact system is within the resolution, and the interval contains it', async () => {
  for (const limit of [10, 37, 200, 4_321]) {
    const { ratePerSecond, low, high, limit: reason } = await findKnee({ measure: heldUpTo(limit) })
    expect(reason).toBe('system')
    expect(ratePerSecond).toBeLessThanOrEqual(limit)
    expect(ratePerSecond).toBeGreaterThan(limit / 1.05)
    expect(low).toBe(ratePerSecond)
    expect(high).toBeGreaterThan(limit)
    expect(high).toBeLessThanOrEqual(ratePerSecond * 1.05)
  }
})

test('a search may start below and above the knee', async () => {
  for (const start of [150, 1_000]) {
    const { ratePerSecond, measurements } = await findKnee({ measure: heldUpTo(200), start })
    expect(measurements[0]?.ratePerSecond).toBe(start)
    expect(ratePerSecond).toBeGreaterThan(190)
    expect(ratePerSecond).toBeLessThanOrEqual(200)
  }
  expect(await findKnee({ measure: heldUpTo(9), start: 35 })).toMatchObject({ ratePerSecond: 0, limit: 'lowest' })
})

test('each end of the interval has the requested number of measurements', async () => {
  const { low, high, measurements } = await findKnee({ measure: heldUpTo(200), repetitions: 5 })
  const count = (rate: number | undefined) => measurements.filter((each) => each.ratePerSecond === rate).length
  expect([count(low), count(high)]).toEqual([5, 5])
})

test('the knee is 0 when the lowest rate fails', async () => {
  const { ratePerSecond, low, high, limit } = await findKnee({ measure: heldUpTo(9), lowest: 10 })
  expect({ ratePerSecond, low, high, limit }).toEqual({ ratePerSecond: 0, low: 0, high: undefined, limit: 'lowest' })
})

test('a system that holds the highest rate has a lower bound for its knee', async () => {
  const { ratePerSecond, high, limit } = await findKnee({ measure: heldUpTo(1e9), highest: 3_000 })
  expect({ ratePerSecond, high, limit }).toEqual({ ratePerSecond: 3_000, high: undefined, limit: 'highest' })
})

test('a late generator is the limit, and not the system', async () => {
  let late = 0
  const { ratePerSecond, high, limit } = await findKnee({
    measure: async (rate) => {
      if (rate > 1_000) late++
      return { isHeld: rate <= 1_000, isValid: rate <= 1_000 }
    },
  })
  expect(limit).toBe('generator')
  expect(high).toBeUndefined()
  expect(ratePerSecond).toBeGreaterThan(950)
  expect(late % 3).toBe(0)
})

test('a late generator at the lowest rate does not count against the system', async () => {
  const { ratePerSecond, limit } = await findKnee({ measure: async () => ({ isHeld: false, isValid: false }) })
  expect({ ratePerSecond, limit }).toEqual({ ratePerSecond: 0, limit: 'generator' })
})

test('a rate that is held counts although the generator was late', async () => {
  const { ratePerSecond, limit } = await findKnee({
    measure: async (rate) => ({ isHeld: rate <= 200, isValid: rate > 200 }),
  })
  expect(limit).toBe('system')
  expect(ratePerSecond).toBeGreaterThan(190)
})

test('single stalls of the machine do not move the knee', async () => {
  const random = createRandom(5)
  const { ratePerSecond, low, high } = await findKnee({
    // One measurement in ten fails at any rate.
    measure: async (rate) => ({ isHeld: rate <= 200 && random() > 0.1, isValid: true }),
  })
  expect(ratePerSecond).toBeGreaterThan(180)
  expect(ratePerSecond).toBeLessThanOrEqual(200)
  expect(low).toBeLessThanOrEqual(ratePerSecond)
  expect(high).toBeGreaterThan(200)
})

test('the interval ends at the lowest rate that always failed', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createRandom(seed)
    const { ratePerSecond, low, high, measurements } = await findKnee({
      // The share of failures rises from 0 at 100/s to 1 at 300/s.
      measure: async (rate) => ({ isHeld: rate < 100 + 200 * random(), isValid: true }),
    })
    const rates = [...new Set(measurements.map((each) => each.ratePerSecond))]
    const tally = (rate: number) => measurements.filter((each) => each.ratePerSecond === rate)
    const failed = rates.filter(
      (rate) => rate > ratePerSecond && tally(rate).length >= 3 && tally(rate).every(({ outcome }) => !outcome.isHeld),
    )
    expect(high).toBe(Math.min(...failed))
    expect(low).toBeLessThanOrEqual(ratePerSecond)
    if (low > 0) expect(tally(low).every(({ outcome }) => outcome.isHeld)).toBe(true)
  }
})

/** P(latency > t) of the queue M/M/c: https://en.wikipedia.org/wiki/M/M/c_queue */
function tail(servers: number, serviceMs: number, ratePerSecond: number, ms: number): number {
  const load = (ratePerSecond * serviceMs) / 1_000
  if (load >= servers) return 1
  let blocked = 1
  for (let n = 1; n <= servers; n++) blocked = (load * blocked) / (n + load * blocked)
  const waits = blocked / (1 - (load / servers) * (1 - blocked))
  const rest = servers - 1 - load
  return Math.exp(-ms / serviceMs) * (1 + (waits * (1 - Math.exp((-ms / serviceMs) * rest))) / rest)
}

test('the knee of the queue M/M/c is the rate at which its formula reaches the objective', async () => {
  const [servers, serviceMs, objectiveMs] = [10, 50, 300]
  let expected = 1
  while (tail(servers, serviceMs, expected + 0.5, objectiveMs) < 0.01) expected += 0.5
  const random = createRandom(11)
  const { ratePerSecond, low, high } = await findKnee({
    measure: async (rate) => {
      const { latenciesMs } = simulate(
        {
          ...{ instances: 1, poolMax: servers, cpuMs: 0, databaseCpuMs: 0, databaseCores: 1 },
          holdMs: () => -Math.log(1 - random()) * serviceMs,
          queueTimeoutMs: Number.POSITIVE_INFINITY,
        },
        { ratePerSecond: rate, durationMs: 150_000, arrivals: 'random', random },
      )
      return { isHeld: percentile(latenciesMs, 99) < objectiveMs, isValid: true }
    },
  })
  expect(Math.abs(ratePerSecond / expected - 1)).toBeLessThan(0.06)
  expect(low).toBeLessThanOrEqual(expected * 1.06)
  expect(high).toBeGreaterThanOrEqual(expected * 0.94)
})
