import { describe, expect, test } from '@jest/globals'
import { admits, BROWNOUT_AFTER_S, type Level, nextLevel, OPEN, type Window } from './level.ts'
import { BUCKETS, PRIORITIES, RANKS, rankOf } from './priority.ts'

/** Spreads `count` requests of each priority over its buckets. */
function spread(counts: Partial<Record<(typeof PRIORITIES)[number], number>>): number[] {
  return PRIORITIES.flatMap((priority) => Array<number>(BUCKETS).fill((counts[priority] ?? 0) / BUCKETS))
}

/** A second of 1,000 requests: 200 core, 400 normal and 400 background. The service has time for 400 of them. */
const BUSY: Window = {
  seconds: 1,
  busy: 1,
  averageWaitMs: 21,
  incoming: 1_000,
  served: 400,
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
  test('an overloaded window admits 2 % less than the event loop can serve, from the lowest ranks', () => {
    const level = nextLevel(OPEN, BUSY, 20)
    expect(level.limit).toBeCloseTo(392)
    expect(share(level, BUSY)).toBeCloseTo(0.392, 2)
    expect(admits(level, 'background', 0, 0)).toBe(false)
    expect(admits(level, 'normal', BUCKETS - 1, 0)).toBe(false)
    expect(admits(level, 'normal', 0, 1)).toBe(true)
    expect(admits(level, 'core', BUCKETS - 1, 1)).toBe(true)
  })

  test('an average wait of exactly the limit is not an overload', () => {
    expect(nextLevel(OPEN, { ...BUSY, averageWaitMs: 20 }, 20).limit).toBe(Infinity)
  })

  test('a later window without overload admits as much as the event loop can serve', () => {
    const level = nextLevel(OPEN, BUSY, 20)
    expect(nextLevel(level, { ...BUSY, averageWaitMs: 19, served: 380, busy: 0.95 }, 20).limit).toBeCloseTo(400)
    expect(nextLevel(level, { ...BUSY, averageWaitMs: 1, served: 100, busy: 0.2 }, 20).limit).toBeCloseTo(500)
  })

  test('an event loop that has time for every request is not overloaded, however long its requests waited', () => {
    const window = { ...BUSY, averageWaitMs: 200, served: 1_000 }
    expect(nextLevel(OPEN, { ...window, busy: 0.79 }, 20).limit).toBe(Infinity)
    expect(nextLevel(OPEN, { ...window, busy: 0.81 }, 20).limit).toBeCloseTo((0.98 * 1_000) / 0.81)
  })

  test('the first window whose requests all fit ends the limit and the brownout', () => {
    const level = { ...OPEN, limit: 500, cut: 200, isBrownout: true, pressedS: 30 }
    const window = { ...BUSY, averageWaitMs: 1, incoming: 400, served: 240, busy: 0.4 }
    expect(nextLevel(level, window, 20)).toMatchObject({ limit: Infinity, cut: RANKS, isBrownout: false, pressedS: 0 })
  })

  test('a window whose requests would not all fit keeps the brownout', () => {
    const level = { ...OPEN, limit: 700, isBrownout: true, pressedS: 0 }
    const window = { ...BUSY, averageWaitMs: 1, served: 600, busy: 0.6 }
    expect(nextLevel(level, window, 20)).toMatchObject({ isBrownout: true })
  })

  test('a window without a served request uses the cost of earlier requests', () => {
    const level = { ...OPEN, limit: 300, isBrownout: true, costS: 0.003 }
    const window = { ...BUSY, averageWaitMs: 0, served: 0, busy: 0.05 }
    expect(nextLevel(level, window, 20).isBrownout).toBe(true)
    expect(nextLevel(level, { ...window, incoming: 200 }, 20).isBrownout).toBe(false)
  })

  test('a window without requests ends the limit and the brownout', () => {
    const level = { ...OPEN, limit: 5, cut: 0, isBrownout: true, costS: 1 }
    const window = { ...BUSY, averageWaitMs: 0, incoming: 0, served: 0, busy: 0, ranks: spread({}) }
    expect(nextLevel(level, window, 20)).toEqual({ ...OPEN, costS: 1 })
  })

  test('an overloaded window without ranked requests admits every request until the next window', () => {
    const level = nextLevel(OPEN, { ...BUSY, ranks: spread({}) }, 20)
    expect(level).toMatchObject({ limit: 392, cut: RANKS })
  })
})

describe('the brownout', () => {
  test('begins after five seconds of refusals and refuses every background request', () => {
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
    level = nextLevel(level, { ...BUSY, averageWaitMs: 1, incoming: 100, served: 100, busy: 0.1 }, 20)
    for (let second = 0; second < 4; second++) level = nextLevel(level, BUSY, 20)
    expect(level.isBrownout).toBe(false)
  })

  test('seconds without overload count while requests are refused', () => {
    let level: Level = nextLevel(OPEN, BUSY, 20)
    for (let second = 1; second < BROWNOUT_AFTER_S; second++) {
      level = nextLevel(level, { ...BUSY, averageWaitMs: 10 }, 20)
    }
    expect(level.isBrownout).toBe(true)
  })

  test('does not begin while the limit admits every request', () => {
    let level: Level = OPEN
    for (let second = 0; second < 20; second++) level = nextLevel(level, { ...BUSY, served: 1_000, busy: 0.9 }, 20)
    expect(level).toMatchObject({ limit: expect.closeTo((0.98 * 1_000) / 0.9), isBrownout: false })
  })
})

describe('the rank at the limit', () => {
  test('admits requests by chance, because one caller may send all requests', () => {
    const ranks = spread({})
    ranks[rankOf('normal', 7)] = 1_000
    const level = nextLevel(OPEN, { ...BUSY, ranks, served: 500 }, 20)
    expect(level).toMatchObject({ cut: rankOf('normal', 7), share: expect.closeTo(0.49) })
    expect([0.4, 0.5].map((chance) => admits(level, 'normal', 7, chance))).toEqual([true, false])
  })
})
