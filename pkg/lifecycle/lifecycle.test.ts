import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createLifecycle, type LifecycleEvent, type LifecycleOptions, type Part } from './lifecycle.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms)

/** Starts a lifecycle with these parts in order, and with a process whose signals the test sends. */
async function run({ parts, ...options }: Partial<LifecycleOptions> & { readonly parts: readonly Part[] }) {
  const process = new EventEmitter()
  const events: LifecycleEvent[] = []
  const reload = jest.fn()
  const lifecycle = createLifecycle({
    process,
    drainDelayMs: 5_000,
    shutdownTimeoutMs: 25_000,
    reload,
    onEvent: (event) => events.push(event),
    ...options,
  })
  expect(lifecycle.phase()).toBe('starting')
  const code = lifecycle.run(async (use) => {
    for (const part of parts) await use(part)
  })
  await advance(0)
  return { phase: lifecycle.phase, process, events, reload, code }
}

/** Creates parts that log their calls. */
function createParts(...names: readonly string[]) {
  const log: string[] = []
  const parts: Part[] = names.map((name) => ({
    name,
    start: () => log.push(`start ${name}`),
    drain: () => log.push(`drain ${name}`),
    stop: () => log.push(`stop ${name}`),
  }))
  return { log, parts }
}

test('parts start in order, and stop in reverse order after the drain delay', async () => {
  const { log, parts } = createParts('store', 'health', 'http')
  const { phase, process, events, code } = await run({ parts, drainDelayMs: 500 })
  expect(phase()).toBe('serving')
  process.emit('SIGTERM')
  expect(phase()).toBe('draining')
  await advance(499)
  expect(log).toEqual(['start store', 'start health', 'start http', 'drain store', 'drain health', 'drain http'])
  await advance(1)
  expect(log.slice(6)).toEqual(['stop http', 'stop health', 'stop store'])
  expect(await code).toBe(0)
  expect(phase()).toBe('stopped')
  expect(jest.getTimerCount()).toBe(0)
  expect(events).toEqual([
    { type: 'serving' },
    { type: 'signal', signal: 'SIGTERM' },
    { type: 'draining' },
    { type: 'stopped' },
  ])
})

test('the drain delay begins when every part has drained, and a part that fails to drain does not hold the stop', async () => {
  const { log, parts } = createParts('registry', 'broken', 'http')
  const drained = Promise.withResolvers<void>()
  const [registry, broken] = parts as [Part, Part]
  registry.drain = () => drained.promise
  broken.drain = () => Promise.reject(new Error('broken'))
  const { process, events, code } = await run({ parts, drainDelayMs: 500 })
  process.emit('SIGTERM')
  await advance(10_000)
  expect(log.filter((line) => !line.startsWith('start'))).toEqual(['drain http'])
  drained.resolve()
  await advance(499)
  expect(log).not.toContain('stop http')
  await advance(1)
  expect(log).toContain('stop http')
  expect(await code).toBe(0)
  expect(events).toContainEqual({ type: 'part failed to stop', part: 'broken', err: new Error('broken') })
})

test('a part that never drains is cut at the deadline', async () => {
  const { process, code } = await run({ parts: [{ name: 'registry', drain: () => new Promise(() => {}) }] })
  process.emit('SIGTERM')
  await advance(25_000)
  expect(await code).toBe(1)
})

test('SIGINT drains without the delay and ends with 0', async () => {
  const { log, parts } = createParts('http')
  const { process, code } = await run({ parts })
  process.emit('SIGINT')
  await advance(0)
  expect(await code).toBe(0)
  expect(log).toEqual(['start http', 'drain http', 'stop http'])
})

test('SIGHUP reloads and does not stop the service', async () => {
  const { process, reload, phase } = await run({ parts: [] })
  process.emit('SIGHUP')
  expect(reload).toHaveBeenCalledTimes(1)
  await advance(60_000)
  expect(phase()).toBe('serving')
})

test('when a part fails to start, this part and the earlier parts are stopped, and the exit code is 1', async () => {
  const { log, parts } = createParts('store', 'http', 'never')
  const err = new Error('port taken')
  const broken = parts.map((part) => (part.name === 'http' ? { ...part, start: () => Promise.reject(err) } : part))
  const { code, events } = await run({ parts: broken })
  expect(await code).toBe(1)
  expect(events).toEqual([{ type: 'failed to start', err }])
  expect(log).toEqual(['start store', 'stop http', 'stop store'])
})

test('after a failed start, a part that does not stop is cut, and the exit code is 1', async () => {
  const err = new Error('broken job')
  const http: Part = { name: 'http', stop: () => new Promise(() => {}) }
  const { code, events } = await run({ parts: [http, { name: 'jobs', start: () => Promise.reject(err) }] })
  await advance(3_000)
  expect(events).toEqual([{ type: 'failed to start', err }])
  expect(await code).toBe(1)
})

test.each(['before the failure', 'after it'])('a signal %s does not hide a failed start', async (when) => {
  const started = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  const part: Part = { name: 'http', start: () => started.promise, stop: () => stopped.promise }
  const { process, code, events } = await run({ parts: [part] })
  if (when === 'before the failure') process.emit('SIGTERM')
  const err = new Error('port taken')
  started.reject(err)
  await advance(0)
  if (when === 'after it') process.emit('SIGTERM')
  stopped.resolve()
  await advance(0)
  expect(events).toContainEqual({ type: 'failed to start', err })
  expect(await code).toBe(1)
})

test('a part that fails to stop is reported, and the other parts still stop', async () => {
  const { log, parts } = createParts('store', 'http')
  const err = new Error('stuck')
  const broken = parts.map((part) => (part.name === 'http' ? { ...part, stop: () => Promise.reject(err) } : part))
  const { process, events, code } = await run({ parts: broken })
  process.emit('SIGINT')
  await advance(0)
  expect(await code).toBe(0)
  expect(events).toContainEqual({ type: 'part failed to stop', part: 'http', err })
  expect(log).toContain('stop store')
})

test('the remaining parts are cut at the deadline, and the exit code is 1', async () => {
  const { log, parts } = createParts('store', 'http')
  const cut = jest.fn()
  const stuck = parts.map((part) => ({
    ...part,
    ...(part.name === 'http' && {
      stop(signal: AbortSignal) {
        signal.addEventListener('abort', cut)
        return new Promise(() => {})
      },
    }),
  }))
  const { process, events, code } = await run({ parts: stuck, drainDelayMs: 100, shutdownTimeoutMs: 1_000 })
  process.emit('SIGTERM')
  await advance(999)
  expect(cut).not.toHaveBeenCalled()
  await advance(1)
  expect(cut).toHaveBeenCalledTimes(1)
  expect(await code).toBe(1)
  expect(events.at(-1)).toEqual({ type: 'deadline missed' })
  expect(log).toContain('stop store')
})

test('a part with its own timeout leaves time for the other parts', async () => {
  const { log, parts } = createParts('store', 'http')
  const slow: Part = { name: 'redis', stop: () => new Promise(() => {}), stopTimeoutMs: 50 }
  const { process, events, code } = await run({ parts: [...parts, slow] })
  process.emit('SIGINT')
  await advance(50)
  expect(await code).toBe(0)
  expect(log.slice(-2)).toEqual(['stop http', 'stop store'])
  expect(events).toContainEqual(expect.objectContaining({ type: 'part failed to stop', part: 'redis' }))
})

test.each(['SIGTERM', 'SIGINT'])(
  'a second signal, %s, ends the delay immediately, and the exit code is 1',
  async (second) => {
    const { log, parts } = createParts('http')
    const { process, events, code } = await run({ parts, drainDelayMs: 60_000, shutdownTimeoutMs: 120_000 })
    process.emit('SIGTERM')
    await advance(1_000)
    expect(log).not.toContain('stop http')
    process.emit(second)
    expect(await code).toBe(1)
    expect(log.filter((line) => line === 'stop http')).toHaveLength(1)
    expect(events.at(-1)).toEqual({ type: 'cut' })
  },
)

test('a crash is reported with its cause, drains briefly and ends with 1', async () => {
  const { log, parts } = createParts('http')
  const stuck: Part = { name: 'stuck', stop: () => new Promise(() => {}) }
  const { process, events, code } = await run({ parts: [...parts, stuck], crashTimeoutMs: 70 })
  const err = new Error('bug')
  process.emit('uncaughtException', err)
  expect(events).toContainEqual({ type: 'crash', err })
  await advance(69)
  expect(log).not.toContain('stop http')
  await advance(1)
  expect(await code).toBe(1)
  expect(log).toContain('stop http')
})

test('a crash ends with 1 when every part stops in time', async () => {
  const { process, events, code } = await run({ parts: [] })
  process.emit('uncaughtException', new Error('bug'))
  await advance(0)
  expect(await code).toBe(1)
  expect(events.at(-1)).toEqual({ type: 'stopped' })
})

test('a crash during the stop cuts the remaining work', async () => {
  const { process, events, code } = await run({ parts: [] })
  process.emit('SIGTERM')
  process.emit('uncaughtException', new Error('bug'))
  expect(await code).toBe(1)
  expect(events.at(-1)).toEqual({ type: 'cut' })
})

test('a stop during the start waits for the current part and starts no further part', async () => {
  const { log, parts } = createParts('store', 'http')
  const started = Promise.withResolvers<void>()
  const slow: Part = { name: 'slow', start: () => started.promise, stop: () => log.push('stop slow') }
  const { process, code, phase } = await run({ parts: [slow, ...parts] })
  process.emit('SIGTERM')
  await advance(1_000)
  expect(log).toEqual([])
  expect(phase()).toBe('starting')
  started.resolve()
  await advance(0)
  expect(await code).toBe(0)
  expect(log).toEqual(['stop slow'])
})

test('a stop between two parts of the start starts no further part', async () => {
  const { log, parts } = createParts('store', 'http')
  const process = new EventEmitter()
  const options = { process, drainDelayMs: 0, shutdownTimeoutMs: 1_000, reload() {}, onEvent() {} }
  const code = createLifecycle(options).run(async (use) => {
    await use(parts[0]!)
    process.emit('SIGTERM')
    await use(parts[1]!)
  })
  await advance(0)
  expect(await code).toBe(0)
  expect(log).toEqual(['start store', 'drain store', 'stop store'])
})

test('a start that hangs is cut', async () => {
  const stuck: Part = { name: 'stuck', start: () => new Promise(() => {}) }
  const { process, code } = await run({ parts: [stuck], shutdownTimeoutMs: 1_000 })
  process.emit('SIGTERM')
  await advance(1_000)
  expect(await code).toBe(1)
})
