import { describe, expect, test } from '@jest/globals'
import { admits, BROWNOUT_AFTER_S, type Level, nextLevel, OPEN, type Window } from './level.ts'
import { BUCKETS, PRIORITIES, RANKS, rankOf } from './priority.ts'

/** Spreads `count` requests of each priority over its buckets. */
function spread(counts: Partial<Record<(typeof PRIORITIES)[number], number>>): number[] {
  return PRIORITIES.flatMap((priority) => Array<number>(BUCKETS).fill((counts[priority] ?? 0) / BUCKETS))
}

/** A second of 1,000 requests: 200 core, 400 normal and 400 background. */
const BUSY: Window = {
  seconds: 1,
  busy: 1,
  averageWaitMs: 21,
  incoming: 1_000,
  admitted: 1_000,
  expired: 0,
  ranks: spread({ core: 200, normal: 400, background: 400 }),
}

/** The share of the requests of the window that the level admits. */
function share(level: Level, { ranks, incoming }: Window): number {
  const admitted = PRIORITIES.flatMap((priority) =>
    Array.from({ length: BUCKETS }, (_, bucket) => {
      const chances = Array.from({ length: 100 }, (_, index) => index / 100)
      const passed = chances.filter((chance) => admits(level, priority, bucket, chance)).length / chances.length
      return passed * (ranks[rankOf(priority, bucket)] ?? 0)
    }),
  )
  return admitted.reduce((sum, count) => sum + count, 0) / incoming
}

describe('the limit', () => {
  test('an overloaded window admits 5 % less, from the lowest ranks', () => {
    const level = nextLevel(OPEN, BUSY, 20)
    expect(level.limit).toBeCloseTo(950)
    expect(share(level, BUSY)).toBeCloseTo(0.95, 2)
    expect(admits(level, 'background', BUCKETS - 1, 0)).toBe(false)
    expect(admits(level, 'background', 0, 1)).toBe(true)
    expect(admits(level, 'normal', BUCKETS - 1, 1)).toBe(true)
  })

  test('an average wait of exactly the limit is not an overload', () => {
    expect(nextLevel(OPEN, { ...BUSY, averageWaitMs: 20 }, 20).limit).toBe(Infinity)
  })

  test('an event loop that sleeps for 30 % of the time is not overloaded, however long its requests waited', () => {
    expect(nextLevel(OPEN, { ...BUSY, averageWaitMs: 200, busy: 0.69 }, 20).limit).toBe(Infinity)
    expect(nextLevel(OPEN, { ...BUSY, averageWaitMs: 200, busy: 0.71 }, 20).limit).toBeCloseTo(950)
  })

  test('requests that were given up do not count as served', () => {
    expect(nextLevel(OPEN, { ...BUSY, expired: 500 }, 20).limit).toBeCloseTo(475)
  })

  test('a window without overload raises the limit by 1 % of the incoming requests', () => {
    const level = nextLevel(OPEN, { ...BUSY, expired: 500 }, 20)
    const next = nextLevel(level, { ...BUSY, averageWaitMs: 19, admitted: 475 }, 20)
    expect(next.limit).toBeCloseTo(475 + 10)
  })

  test('an event loop with idle time raises the limit to the load that would keep it busy for 80 % of the time', () => {
    const level = { ...OPEN, limit: 100, cut: 10 }
    const next = nextLevel(level, { ...BUSY, averageWaitMs: 1, admitted: 100, busy: 0.2 }, 20)
    expect(next.limit).toBeCloseTo(400)
  })

  test('the first window whose requests all fit ends the limit and the brownout', () => {
    const level = { ...OPEN, limit: 500, cut: 200, isBrownout: true, pressedS: 30 }
    const window = { ...BUSY, averageWaitMs: 1, incoming: 400, admitted: 240, busy: 0.4 }
    expect(nextLevel(level, window, 20)).toMatchObject({ limit: Infinity, cut: RANKS, isBrownout: false, pressedS: 0 })
  })

  test('a window whose requests would not all fit keeps the brownout', () => {
    const level = { ...OPEN, limit: 700, isBrownout: true, pressedS: 0 }
    const window = { ...BUSY, averageWaitMs: 1, admitted: 600, busy: 0.6 }
    expect(nextLevel(level, window, 20)).toMatchObject({ isBrownout: true })
  })

  test('a window without an admitted request uses the cost of earlier requests', () => {
    const level = { ...OPEN, isBrownout: true, costS: 0.003 }
    const window = { ...BUSY, averageWaitMs: 0, admitted: 0, busy: 0.05 }
    expect(nextLevel(level, window, 20).isBrownout).toBe(true)
    expect(nextLevel(level, { ...window, incoming: 200 }, 20).isBrownout).toBe(false)
  })

  test('a window without requests ends the limit and the brownout', () => {
    const level = { ...OPEN, limit: 5, cut: 0, isBrownout: true, costS: 1 }
    const window = { ...BUSY, averageWaitMs: 0, incoming: 0, admitted: 0, busy: 0, ranks: spread({}) }
    expect(nextLevel(level, window, 20)).toEqual({ ...OPEN, costS: 1 })
  })

  test('an overloaded window without ranked requests admits every request until the next window', () => {
    const level = nextLevel(OPEN, { ...BUSY, ranks: spread({}) }, 20)
    expect(level).toMatchObject({ limit: 950, cut: RANKS })
  })

  test('overload of twice the capacity converges on the capacity', () => {
    let level: Level = OPEN
    const capacity = 300
    const served: number[] = []
    for (let second = 0; second < 120; second++) {
      const admitted = share(level, BUSY) * BUSY.incoming
      const averageWaitMs = admitted > capacity ? 100 : 5
      const expired = Math.max(0, admitted - capacity)
      served.push(Math.min(admitted, capacity))
      level = { ...nextLevel(level, { ...BUSY, admitted, expired, averageWaitMs }, 20), isBrownout: false }
    }
    expect(Math.min(...served)).toBeGreaterThan(0.9 * capacity)
  })
})

describe('the brownout', () => {
  test('begins after five seconds of overload and refuses every background request', () => {
    let level: Level = OPEN
    const states: boolean[] = []
    for (let second = 0; second < BROWNOUT_AFTER_S; second++) {
      level = nextLevel(level, BUSY, 20)
      states.push(level.isBrownout)
    }
    expect(states).toEqual([false, false, false, false, true])
    expect(admits({ ...level, cut: RANKS }, 'background', 0, 0)).toBe(false)
    expect(admits({ ...level, cut: RANKS }, 'normal', 0, 0)).toBe(true)
  })

  test('does not begin when a second without overload and refusals interrupts the overload', () => {
    let level: Level = OPEN
    for (let second = 0; second < 4; second++) level = nextLevel(level, BUSY, 20)
    level = nextLevel(level, { ...BUSY, averageWaitMs: 1, incoming: 100, admitted: 100, busy: 0.1 }, 20)
    for (let second = 0; second < 4; second++) level = nextLevel(level, BUSY, 20)
    expect(level.isBrownout).toBe(false)
  })

  test('seconds without overload count while requests are refused', () => {
    let level: Level = nextLevel(OPEN, { ...BUSY, expired: 500 }, 20)
    for (let second = 1; second < BROWNOUT_AFTER_S; second++) {
      level = nextLevel(level, { ...BUSY, averageWaitMs: 10, admitted: 480 }, 20)
    }
    expect(level.isBrownout).toBe(true)
  })
})

describe('the rank at the limit', () => {
  test('admits requests by chance, because one caller may send all requests', () => {
    const ranks = spread({})
    ranks[rankOf('normal', 7)] = 1_000
    const level = nextLevel(OPEN, { ...BUSY, ranks, expired: 500 }, 20)
    expect(level).toMatchObject({ cut: rankOf('normal', 7), share: expect.closeTo(0.475) })
    expect([0.4, 0.5].map((chance) => admits(level, 'normal', 7, chance))).toEqual([true, false])
  })
})
