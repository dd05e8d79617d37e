import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createHealth } from './health.ts'
import type { Check, HealthEvent, HealthOptions, WatchedCheck } from './monitor.ts'

const DEFAULTS = { intervalMs: 2_000, timeoutMs: 1_000, fall: 2, rise: 1 }

/** Creates a health with these checks. */
function watch({ checks, ...options }: Partial<HealthOptions> & { readonly checks: readonly WatchedCheck[] }) {
  const health = createHealth({ settings: () => DEFAULTS, ...options })
  for (const check of checks) health.watch(check)
  return health
}

beforeEach(() => {
  jest.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  jest.useRealTimers()
})

const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' })

test('a snapshot names each check and no address', async () => {
  const health = watch({
    checks: [
      { name: 'database', check: async () => {} },
      { name: 'mail', check: () => Promise.reject(refused), critical: () => false },
    ],
  })
  expect(health.snapshot()).toEqual({
    status: 'fail',
    timestamp: 1_000,
    checks: {
      database: { status: 'fail', critical: true, reason: 'pending' },
      mail: { status: 'fail', critical: false, reason: 'pending' },
    },
    history: { database: [], mail: [] },
  })
  health.start()
  await jest.advanceTimersByTimeAsync(0)
  expect(health.snapshot()).toEqual({
    status: 'ok',
    timestamp: 1_000,
    checks: {
      database: { status: 'ok', critical: true, latencyMs: 0, checkedAt: 1_000 },
      mail: { status: 'fail', critical: false, reason: 'refused', checkedAt: 1_000 },
    },
    history: {
      database: [{ ok: true, at: 1_000_000, latencyMs: 0 }],
      mail: [{ ok: false, at: 1_000_000, reason: 'refused' }],
    },
  })
})

test('a snapshot is created once a second and once for each result', async () => {
  const health = watch({
    checks: [{ name: 'database', check: async () => {} }],
    settings: () => ({ intervalMs: 10_000, timeoutMs: 1_000, fall: 2, rise: 1 }),
  })
  const pending = health.snapshot()
  expect(health.snapshot()).toBe(pending)
  health.start()
  await jest.advanceTimersByTimeAsync(0)
  const checked = health.snapshot()
  expect(checked).not.toBe(pending)
  await jest.advanceTimersByTimeAsync(999)
  expect(health.snapshot()).toBe(checked)
  await jest.advanceTimersByTimeAsync(1)
  expect(health.snapshot()).not.toBe(checked)
})

test('an event reports each change of the status once, with its cause', async () => {
  const events: HealthEvent[] = []
  let check: Check = async () => {}
  const health = watch({
    checks: [{ name: 'database', check: (signal) => check(signal) }],
    settings: () => ({ intervalMs: 100, timeoutMs: 50, fall: 2, rise: 1 }),
    onEvent: (event) => events.push(event),
  })
  health.start()
  await jest.advanceTimersByTimeAsync(1_000)
  check = () => Promise.reject(refused)
  await jest.advanceTimersByTimeAsync(1_000)
  check = async () => {}
  await jest.advanceTimersByTimeAsync(1_000)
  expect(events).toEqual([
    { name: 'database', status: 'ok', critical: true },
    { name: 'database', status: 'fail', critical: true, reason: 'refused', error: refused },
    { name: 'database', status: 'ok', critical: true },
  ])
})

test('a failure reports each of its reasons once', async () => {
  const events: HealthEvent[] = []
  const causes = [refused, new Error('odd'), refused, new Error('odd')]
  const health = watch({
    checks: [{ name: 'database', check: () => Promise.reject(causes.shift()) }],
    settings: () => ({ intervalMs: 100, timeoutMs: 50, fall: 1, rise: 1 }),
    onEvent: (event) => events.push(event),
  })
  health.start()
  await jest.advanceTimersByTimeAsync(400)
  health.stop()
  expect(causes).toEqual([])
  expect(events.map(({ reason }) => reason)).toEqual(['refused', 'error'])
})

test('results become stale without an event, as when the event loop was blocked', async () => {
  let blockedMs = 0
  const clock = () => performance.now() + blockedMs
  const health = watch({ checks: [{ name: 'database', check: async () => {} }], clock })
  health.start()
  await jest.advanceTimersByTimeAsync(0)
  expect(health.snapshot().status).toBe('ok')
  // The clock advances while no timer fires. A result is fresh for two intervals, two timeouts and a second.
  blockedMs = 2 * (2_000 + 1_000) + 1_000
  expect(health.snapshot().status).toBe('ok')
  blockedMs += 1_000
  expect(health.snapshot()).toMatchObject({ status: 'fail', checks: { database: { reason: 'stale' } } })
  await jest.advanceTimersByTimeAsync(2_200)
  expect(health.snapshot().status).toBe('ok')
})

test.each([
  ['back', -3_600_000],
  ['forward', 3_600_000],
])(
  'when the system clock is set %s by an hour, results stay fresh and snapshots have the new time',
  async (_name, step) => {
    jest.setSystemTime(10_000_000)
    const health = watch({ checks: [{ name: 'database', check: async () => {} }] })
    health.start()
    await jest.advanceTimersByTimeAsync(0)
    jest.setSystemTime(10_000_000 + step)
    for (let second = 0; second < 10; second++) {
      const { status, timestamp } = health.snapshot()
      expect({ status, timestamp }).toEqual({ status: 'ok', timestamp: 10_000 + step / 1_000 + second })
      await jest.advanceTimersByTimeAsync(1_000)
    }
  },
)

test('thresholds and criticality may change at any time', async () => {
  let settings = { intervalMs: 100, timeoutMs: 50, fall: 50, rise: 1 }
  let critical = true
  let check: Check = async () => {}
  const health = watch({
    checks: [{ name: 'database', check: (signal) => check(signal), critical: () => critical }],
    settings: () => settings,
  })
  health.start()
  await jest.advanceTimersByTimeAsync(1_000)
  check = () => Promise.reject(refused)
  await jest.advanceTimersByTimeAsync(2_000)
  expect(health.snapshot().status).toBe('ok')
  settings = { ...settings, fall: 2 }
  await jest.advanceTimersByTimeAsync(1_000)
  expect(health.snapshot().status).toBe('fail')
  critical = false
  await jest.advanceTimersByTimeAsync(1_000)
  expect(health.snapshot()).toMatchObject({ status: 'ok', checks: { database: { status: 'fail', critical: false } } })
})

test.each([
  [60_000, 100],
  [100, 60_000],
])('results stay fresh when the interval changes from %d to %d ms', async (before, after) => {
  let intervalMs = before
  const health = watch({
    checks: [{ name: 'database', check: () => new Promise((resolve) => setTimeout(resolve, 10)) }],
    settings: () => ({ intervalMs, timeoutMs: 50, fall: 2, rise: 1 }),
  })
  health.start()
  await jest.advanceTimersByTimeAsync(30_000)
  intervalMs = after
  for (let second = 0; second < 90; second++) {
    for (const ms of [5, 5, 990]) {
      await jest.advanceTimersByTimeAsync(ms)
      expect(health.snapshot().checks['database']).toMatchObject({ status: 'ok' })
    }
  }
  health.stop()
})
