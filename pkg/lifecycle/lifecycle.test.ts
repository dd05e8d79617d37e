import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createLifecycle as create, type LifecycleEvent, type LifecycleOptions, type Part } from './lifecycle.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

/** A lifecycle that starts these parts in order. */
function createLifecycle({ parts, ...options }: LifecycleOptions & { readonly parts: readonly Part[] }) {
  const lifecycle = create(options)
  const start = () =>
    lifecycle.start(async (use) => {
      for (const part of parts) await use(part)
    })
  return { ...lifecycle, start }
}

const passed = (ms: number) => jest.advanceTimersByTimeAsync(ms)

/** Parts that write down what happens to them. */
function parts(...names: readonly string[]) {
  const log: string[] = []
  const list: Part[] = names.map((name) => ({
    name,
    start: () => log.push(`start ${name}`),
    drain: () => log.push(`drain ${name}`),
    stop: () => log.push(`stop ${name}`),
  }))
  return { log, list }
}

test('parts start in order and stop in reverse, with the delay between', async () => {
  const { log, list } = parts('store', 'health', 'http')
  const lifecycle = createLifecycle({ parts: list, drainDelayMs: 500 })
  expect(lifecycle.phase()).toBe('starting')
  await lifecycle.start()
  expect(lifecycle.phase()).toBe('serving')
  const stopped = lifecycle.stop()
  expect(lifecycle.phase()).toBe('draining')
  await passed(499)
  expect(log).toEqual(['start store', 'start health', 'start http', 'drain store', 'drain health', 'drain http'])
  await passed(1)
  expect(log.slice(6)).toEqual(['stop http', 'stop health', 'stop store'])
  expect(await stopped).toBe(true)
  expect(lifecycle.phase()).toBe('stopped')
  expect(jest.getTimerCount()).toBe(0)
})

test('when a part fails to start, it is stopped and so are the earlier parts', async () => {
  const { log, list } = parts('store', 'http', 'never')
  const failing = list.map((part) =>
    part.name === 'http' ? { ...part, start: () => Promise.reject(new Error('port taken')) } : part,
  )
  await expect(createLifecycle({ parts: failing }).start()).rejects.toThrow('port taken')
  expect(log).toEqual(['start store', 'stop http', 'stop store'])
})

test('a part that fails to stop is reported, and the other parts still stop', async () => {
  const { log, list } = parts('store', 'http')
  const events: LifecycleEvent[] = []
  const error = new Error('stuck')
  const failing = list.map((part) => (part.name === 'http' ? { ...part, stop: () => Promise.reject(error) } : part))
  const lifecycle = createLifecycle({ parts: failing, onEvent: (event) => events.push(event) })
  await lifecycle.start()
  const stopped = lifecycle.stop({ delayMs: 0 })
  await passed(0)
  expect(await stopped).toBe(true)
  expect(events).toContainEqual({ type: 'part failed to stop', part: 'http', error })
  expect(log).toContain('stop store')
})

test('the remaining parts are cut at the deadline, and the stop reports it', async () => {
  const { log, list } = parts('store', 'http')
  const cut = jest.fn()
  const hanging: Part[] = list.map((part) =>
    part.name === 'http'
      ? {
          ...part,
          stop: (signal: AbortSignal) => {
            signal.addEventListener('abort', cut)
            return new Promise(() => {})
          },
        }
      : part,
  )
  const lifecycle = createLifecycle({ parts: hanging, drainDelayMs: 100, shutdownTimeoutMs: 1_000 })
  await lifecycle.start()
  const stopped = lifecycle.stop()
  await passed(999)
  expect(cut).not.toHaveBeenCalled()
  await passed(1)
  expect(cut).toHaveBeenCalledTimes(1)
  expect(await stopped).toBe(false)
  expect(log).toContain('stop store')
})

test('a part with its own timeout leaves time for the other parts', async () => {
  const { log, list } = parts('store', 'http')
  const events: LifecycleEvent[] = []
  const slow: Part = { name: 'redis', stop: () => new Promise(() => {}), stopTimeoutMs: 50 }
  const lifecycle = createLifecycle({ parts: [...list, slow], drainDelayMs: 0, onEvent: (event) => events.push(event) })
  await lifecycle.start()
  const stopped = lifecycle.stop()
  await passed(50)
  expect(await stopped).toBe(true)
  expect(log.slice(-2)).toEqual(['stop http', 'stop store'])
  expect(events).toContainEqual(expect.objectContaining({ type: 'part failed to stop', part: 'redis' }))
})

test('cut ends the delay and the waiting at once', async () => {
  const { log, list } = parts('http')
  const lifecycle = createLifecycle({ parts: list, drainDelayMs: 60_000, shutdownTimeoutMs: 120_000 })
  await lifecycle.start()
  const stopped = lifecycle.stop()
  lifecycle.cut()
  expect(await stopped).toBe(false)
  expect(log).toContain('stop http')
})

test('a stop during the start waits for the current part and starts no further part', async () => {
  const { log, list } = parts('store', 'http')
  let started = () => {}
  const slow: Part = {
    name: 'slow',
    start: () =>
      new Promise<void>((resolve) => {
        started = resolve
      }),
    stop: () => log.push('stop slow'),
  }
  const lifecycle = createLifecycle({ parts: [slow, ...list], drainDelayMs: 5_000 })
  const starting = lifecycle.start()
  const stopped = lifecycle.stop()
  started()
  await starting
  await passed(0)
  expect(await stopped).toBe(true)
  expect(log).toEqual(['stop slow'])
})

test('a start that hangs is cut', async () => {
  const hanging: Part = { name: 'hanging', start: () => new Promise(() => {}) }
  const lifecycle = createLifecycle({ parts: [hanging], shutdownTimeoutMs: 1_000 })
  void lifecycle.start()
  const stopped = lifecycle.stop()
  await passed(1_000)
  expect(await stopped).toBe(false)
})

test('a second stop returns the promise of the first', async () => {
  const { log, list } = parts('http')
  const lifecycle = createLifecycle({ parts: list, drainDelayMs: 0 })
  await lifecycle.start()
  const both = Promise.all([lifecycle.stop(), lifecycle.stop({ delayMs: 9_000 })])
  await passed(0)
  expect(await both).toEqual([true, true])
  expect(log.filter((line) => line === 'stop http')).toHaveLength(1)
})

test('a second stop without a delay ends the delay of the first, and cuts no request', async () => {
  const { log, list } = parts('http')
  const lifecycle = createLifecycle({ parts: list, drainDelayMs: 5_000 })
  await lifecycle.start()
  const stopped = lifecycle.stop()
  await passed(1_000)
  expect(log).not.toContain('stop http')
  void lifecycle.stop({ delayMs: 0 })
  await passed(0)
  expect(await stopped).toBe(true)
  expect(log).toContain('stop http')
})
