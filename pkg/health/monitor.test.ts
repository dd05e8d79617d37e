import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Check, createMonitor, type HealthOptions } from './monitor.ts'

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

interface Options extends Partial<HealthOptions> {
  readonly fall?: number
  readonly rise?: number
  readonly onRun?: () => void
}

function watch(check: Check, { fall = 2, rise = 1, onRun = () => {}, ...options }: Options = {}) {
  return createMonitor(
    { name: 'database', check },
    { settings: () => ({ intervalMs: 1_000, timeoutMs: 200, fall, rise }), random: () => 0, ...options },
    onRun,
  )
}

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms)

describe('createMonitor', () => {
  test('runs immediately, and again one interval after the start of the previous run', async () => {
    const { check, runs } = manualCheck()
    const monitor = watch(check)
    monitor.start()
    expect(runs).toHaveLength(1)
    await advance(150)
    runs[0]?.resolve()
    await advance(849)
    expect(runs).toHaveLength(1)
    expect(monitor.report()).toMatchObject({ status: 'ok', latencyMs: 150 })
    await advance(1)
    expect(runs).toHaveLength(2)
  })

  test('a dependency that hangs is detected within fall × interval + timeout', async () => {
    let check: Check = async () => {}
    const monitor = watch((signal) => check(signal))
    monitor.start()
    await advance(0)
    check = () => new Promise(() => {})
    await advance(2 * 1_000 + 200 - 1)
    expect(monitor.report().status).toBe('ok')
    await advance(1)
    expect(monitor.report()).toMatchObject({ status: 'fail', reason: 'timeout' })
  })

  test('shortens the interval by up to a tenth', async () => {
    for (const [random, intervalMs] of [
      [0, 1_000],
      [1, 900],
    ] as const) {
      const check = jest.fn<Check>().mockResolvedValue(undefined)
      const monitor = watch(check, { random: () => random })
      monitor.start()
      await advance(intervalMs - 1)
      expect(check).toHaveBeenCalledTimes(1)
      await advance(1)
      expect(check).toHaveBeenCalledTimes(2)
      monitor.stop()
    }
  })

  test('a check that exceeds its timeout fails with reason timeout, is aborted and is not started twice', async () => {
    const { check, runs } = manualCheck()
    const monitor = watch(check)
    monitor.start()
    await advance(200)
    expect(monitor.report()).toMatchObject({ status: 'fail', reason: 'timeout' })
    expect(runs[0]?.signal.aborted).toBe(true)
    await advance(5_000)
    expect(runs).toHaveLength(1)
    expect(monitor.history().length).toBeGreaterThan(3)
    expect(monitor.history().every((run) => !run.ok && run.reason === 'timeout')).toBe(true)
    runs[0]?.reject(new Error('aborted'))
    await advance(1_200)
    expect(runs).toHaveLength(2)
  })

  // After 1,100 ms the second run still waits for the first check. After 1,250 ms it has failed too.
  test.each([1_100, 1_250])('a check that succeeds after %d ms counts as a timeout every time', async (ms) => {
    const slow: Check = () => new Promise((resolve) => setTimeout(resolve, ms))
    const monitor = watch(slow, { fall: 3 })
    monitor.start()
    await advance(10_000)
    expect(monitor.history().length).toBeGreaterThan(5)
    expect(monitor.report()).toMatchObject({ status: 'fail', reason: 'timeout' })
    expect(monitor.history().every(({ ok }) => !ok)).toBe(true)
  })

  test('a check that throws synchronously fails with the reason of its error', async () => {
    const monitor = watch(() => {
      throw Object.assign(new Error(), { code: 'ECONNREFUSED' })
    })
    monitor.start()
    await advance(0)
    expect(monitor.report()).toMatchObject({ status: 'fail', reason: 'refused' })
  })

  test('the history has every run, including runs that do not change the status', async () => {
    const check = jest.fn<Check>().mockRejectedValueOnce(new Error('once')).mockResolvedValue(undefined)
    const monitor = watch(check, { rise: 5 })
    monitor.start()
    await advance(2_000)
    expect(monitor.report().status).toBe('fail')
    expect(monitor.history().map(({ ok }) => ok)).toEqual([false, true, true])
  })

  test('stop aborts the current run, discards its result and leaves no timer', async () => {
    const { check, runs } = manualCheck()
    const onRun = jest.fn()
    const monitor = watch(check, { onRun })
    monitor.start()
    monitor.stop()
    expect(runs[0]?.signal.aborted).toBe(true)
    runs[0]?.reject(new Error('stopped'))
    await advance(10_000)
    expect(onRun).not.toHaveBeenCalled()
    expect(monitor.history()).toEqual([])
    expect(runs).toHaveLength(1)
    expect(jest.getTimerCount()).toBe(0)
  })
})
