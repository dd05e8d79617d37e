import { EventEmitter } from 'node:events'
import { expect, jest, test } from '@jest/globals'
import type { Lifecycle, StopOptions } from './lifecycle.ts'
import { type RunEvent, runUntilStopped } from './run.ts'

function setup({ start = async () => {} }: { start?: () => Promise<void> } = {}) {
  const process = new EventEmitter()
  const stop = Promise.withResolvers<boolean>()
  const lifecycle = {
    phase: () => 'serving' as const,
    stop: jest.fn<(options?: StopOptions) => Promise<boolean>>().mockReturnValue(stop.promise),
    cut: jest.fn(),
  } satisfies Omit<Lifecycle, 'start'>
  const events: RunEvent[] = []
  const reload = jest.fn()
  const code = runUntilStopped({
    lifecycle,
    start,
    process,
    crashDrainMs: 70,
    reload,
    onEvent: (event) => events.push(event),
  })
  return { process, lifecycle, reload, events, code, stopped: stop.resolve }
}

test('SIGTERM drains with the delay and ends with 0', async () => {
  const { process, lifecycle, code, stopped } = setup()
  process.emit('SIGTERM')
  expect(lifecycle.stop.mock.calls).toEqual([[{}]])
  stopped(true)
  expect(await code).toBe(0)
})

test('SIGINT drains without the delay and ends with 0', async () => {
  const { process, lifecycle, code, stopped } = setup()
  process.emit('SIGINT')
  expect(lifecycle.stop.mock.calls).toEqual([[{ delayMs: 0 }]])
  stopped(true)
  expect(await code).toBe(0)
})

test('a missed deadline ends with 1', async () => {
  const { process, code, stopped } = setup()
  process.emit('SIGTERM')
  stopped(false)
  expect(await code).toBe(1)
})

test('SIGHUP reloads and does not stop the service', () => {
  const { process, lifecycle, reload } = setup()
  process.emit('SIGHUP')
  expect(reload).toHaveBeenCalledTimes(1)
  expect(lifecycle.stop).not.toHaveBeenCalled()
})

test('a second signal cuts the remaining work', async () => {
  const { process, lifecycle } = setup()
  process.emit('SIGTERM')
  expect(lifecycle.cut).not.toHaveBeenCalled()
  process.emit('SIGINT')
  expect(lifecycle.cut).toHaveBeenCalledTimes(1)
  expect(lifecycle.stop).toHaveBeenCalledTimes(1)
})

test('a crash is reported with its cause, drains briefly and ends with 1', async () => {
  const { process, lifecycle, events, code, stopped } = setup()
  const error = new Error('bug')
  process.emit('uncaughtException', error)
  expect(events).toEqual([{ type: 'crash', error }])
  expect(lifecycle.stop.mock.calls).toEqual([[{ delayMs: 0, timeoutMs: 70 }]])
  stopped(true)
  expect(await code).toBe(1)
})

test('a crash during the stop cuts the remaining work', async () => {
  const { process, lifecycle } = setup()
  process.emit('SIGTERM')
  process.emit('uncaughtException', new Error('bug'))
  expect(lifecycle.cut).toHaveBeenCalledTimes(1)
})

test('a failed start ends with 1 and its cause', async () => {
  const error = new Error('port taken')
  const { events, code } = setup({ start: () => Promise.reject(error) })
  expect(await code).toBe(1)
  expect(events).toEqual([{ type: 'failed to start', error }])
})

test('a start that hangs does not delay the exit after the stop', async () => {
  const { process, code, stopped } = setup({ start: () => new Promise(() => {}) })
  process.emit('SIGTERM')
  stopped(false)
  expect(await code).toBe(1)
})
