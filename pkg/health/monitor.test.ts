import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Check, createMonitor, type MonitorOptions, type MonitorSettings } from './monitor.ts'
import type { CheckState } from './policy.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

/** A check whose runs the test settles by hand. */
function manualCheck() {
  const runs: { signal: AbortSignal; resolve: () => void; reject: (error: Error) => void }[] = []
  const check: Check = (signal) =>
    new Promise<void>((resolve, reject) => {
      runs.push({ signal, resolve, reject })
    })
  return { check, runs }
}

function monitorOf(check: Check, options: Partial<MonitorOptions & MonitorSettings> = {}) {
  const { intervalMs = 1_000, timeoutMs = 200, fall = 2, rise = 1 } = options
  const changes: CheckState[] = []
  const monitor = createMonitor({
    check,
    settings: () => ({ intervalMs, timeoutMs, fall, rise }),
    random: () => 0,
    onOutcome: (next) => changes.push(next),
    ...options,
  })
  return { monitor, changes }
}

const passed = (ms: number) => jest.advanceTimersByTimeAsync(ms)

describe('createMonitor', () => {
  test('runs at once, and again one interval after the start of the previous run', async () => {
    const { check, runs } = manualCheck()
    const { monitor } = monitorOf(check)
    monitor.start()
    expect(runs).toHaveLength(1)
    await passed(150)
    runs[0]?.resolve()
    await passed(849)
    expect(runs).toHaveLength(1)
    expect(monitor.state()).toMatchObject({ status: 'ok', latencyMs: 150 })
    await passed(1)
    expect(runs).toHaveLength(2)
  })

  test('a dependency that hangs is detected within fall × interval + timeout', async () => {
    let check: Check = async () => {}
    const { monitor } = monitorOf((signal) => check(signal))
    monitor.start()
    await passed(0)
    check = () => new Promise(() => {})
    await passed(2 * 1_000 + 200 - 1)
    expect(monitor.state().status).toBe('ok')
    await passed(1)
    expect(monitor.state()).toMatchObject({ status: 'fail', reason: 'timeout' })
  })

  test('shortens the interval by up to a tenth', async () => {
    for (const [random, intervalMs] of [
      [0, 1_000],
      [1, 900],
    ] as const) {
      const check = jest.fn<Check>().mockResolvedValue(undefined)
      const { monitor } = monitorOf(check, { random: () => random })
      monitor.start()
      await passed(intervalMs - 1)
      expect(check).toHaveBeenCalledTimes(1)
      await passed(1)
      expect(check).toHaveBeenCalledTimes(2)
      monitor.stop()
    }
  })

  test('a check that exceeds its timeout fails with reason timeout, is aborted and is not started twice', async () => {
    const { check, runs } = manualCheck()
    const { monitor, changes } = monitorOf(check)
    monitor.start()
    await passed(200)
    expect(monitor.state()).toMatchObject({ status: 'fail', reason: 'timeout' })
    expect(runs[0]?.signal.aborted).toBe(true)
    await passed(5_000)
    expect(runs).toHaveLength(1)
    expect(changes.length).toBeGreaterThan(3)
    expect(changes.every(({ reason }) => reason === 'timeout')).toBe(true)
    runs[0]?.reject(new Error('gave up at last'))
    await passed(1_200)
    expect(runs).toHaveLength(2)
  })

  test('a late success counts as a timeout every time', async () => {
    const slow: Check = () => new Promise((resolve) => setTimeout(resolve, 1_250))
    const { monitor, changes } = monitorOf(slow, { fall: 3 })
    monitor.start()
    await passed(10_000)
    expect(changes.length).toBeGreaterThan(5)
    expect(monitor.state()).toMatchObject({ status: 'fail', reason: 'timeout' })
    expect(changes.every(({ status }) => status === 'fail')).toBe(true)
  })

  test('a check that throws before it returns a promise fails like any other', async () => {
    const { monitor } = monitorOf(() => {
      throw Object.assign(new Error(), { code: 'ECONNREFUSED' })
    })
    monitor.start()
    await passed(0)
    expect(monitor.state()).toMatchObject({ status: 'fail', reason: 'refused' })
  })

  test('the history has each run, also those that do not change the state', async () => {
    const check = jest.fn<Check>().mockRejectedValueOnce(new Error('once')).mockResolvedValue(undefined)
    const { monitor } = monitorOf(check, { rise: 5 })
    monitor.start()
    await passed(2_000)
    expect(monitor.state().status).toBe('fail')
    expect(monitor.history().map(({ ok }) => ok)).toEqual([false, true, true])
  })

  test('stop aborts the current run, ends the reports and leaves no timer', async () => {
    const { check, runs } = manualCheck()
    const { monitor, changes } = monitorOf(check)
    monitor.start()
    monitor.stop()
    expect(runs[0]?.signal.aborted).toBe(true)
    runs[0]?.reject(new Error('stopped'))
    await passed(10_000)
    expect(changes).toEqual([])
    expect(runs).toHaveLength(1)
    expect(jest.getTimerCount()).toBe(0)
  })
})
