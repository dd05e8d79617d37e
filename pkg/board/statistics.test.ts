import { expect, test } from '@jest/globals'
import { createStatistics } from './statistics.ts'

function start() {
  const clock = { time: 15_000 * 1_000_000 + 500 }
  return { clock, statistics: createStatistics({ now: () => clock.time, maxSeries: 3 }) }
}

test('rates, failures and percentiles cover the last slots and the last 15 minutes', () => {
  const { clock, statistics } = start()
  for (let second = 0; second < 900; second++) {
    clock.time += 1_000
    for (let each = 0; each < 10; each++) {
      statistics.record('GET /', second < 870 ? 10 : each === 0 ? 800 : 20, second >= 870 && each < 5)
    }
  }
  const { routes, total } = statistics.read()
  const [route] = routes
  expect(route).toMatchObject({ name: 'GET /', now: { failed: 0.5 }, recent: { failed: expect.closeTo(0.0167, 3) } })
  expect(route?.now.rate).toBeCloseTo(10, 0)
  expect(route?.recent.rate).toBeCloseTo(10, 0)
  const within = (value: number | null | undefined, exact: number) => {
    expect(value).toBeGreaterThan(exact / 1.1)
    expect(value).toBeLessThan(exact * 1.1)
  }
  within(route?.now.p50, 20)
  within(route?.now.p99, 800)
  within(route?.recent.p50, 10)
  within(route?.recent.p99, 20)
  within(route?.slots.at(-2)?.[2], 800)
  expect(route?.slots).toHaveLength(60)
  expect(total).toEqual({ ...route, name: 'total' })
})

test('a slot is forgotten after 15 minutes', () => {
  const { clock, statistics } = start()
  statistics.record('GET /', 10, true)
  // Before the start.
  expect(statistics.read().total.slots[0]).toEqual([0, 0, null])
  clock.time += 59 * 15_000
  expect(statistics.read().total.slots[0]).toEqual([expect.closeTo(1 / 14.5, 2), 1, expect.any(Number)])
  expect(statistics.read().total.now).toEqual({ rate: 0, failed: 0, p50: null, p99: null })
  clock.time += 15_000
  expect(statistics.read().total.recent).toEqual({ rate: 0, failed: 0, p50: null, p99: null })
  statistics.record('GET /', 10, false)
  expect(statistics.read().total.recent.failed).toBe(0)
})

test('a page that reads often sees the same as a page that reads once', () => {
  const { clock, statistics: once } = start()
  const often = createStatistics({ now: () => clock.time, maxSeries: 3 })
  for (let second = 0; second < 2_000; second++) {
    // Ten minutes without requests, in which one page does not read either.
    clock.time += second === 1_200 ? 600_000 : 1_000
    for (const statistics of second % 300 < 200 ? [once, often] : []) {
      statistics.record('GET /', 1 + (second % 700), second % 7 === 0)
      if (second % 3 === 0) statistics.record('GET /b', 1 + (second % 90), false)
    }
    if (second % 2 === 0) often.read()
  }
  expect(often.read()).toEqual(once.read())
})

test('routes beyond the limit share a series', () => {
  const { statistics } = start()
  for (const name of ['a', 'b', 'c', 'd', 'a']) statistics.record(name, 1, false)
  expect(statistics.read().routes.map(({ name }) => name)).toEqual(['a', 'other routes', 'b'])
})

test.each([0, 1e-9, 0.1, 1e9, Number.POSITIVE_INFINITY])('a duration of %d ms is counted', (durationMs) => {
  const { statistics } = start()
  statistics.record('GET /', durationMs, false)
  expect(statistics.read().total.now.p99).toBeGreaterThan(0)
})
