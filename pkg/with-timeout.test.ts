import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { TimeoutError, withTimeout } from './with-timeout.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

test('when work settles in time, the caller gets its result or its error, and no timer remains', async () => {
  expect(await withTimeout(Promise.resolve(7), 100)).toBe(7)
  await expect(withTimeout(Promise.reject(new Error('refused')), 100)).rejects.toThrow('refused')
  expect(jest.getTimerCount()).toBe(0)
})

test('when work takes too long, the caller gets a TimeoutError at the timeout and not before', async () => {
  const settled = jest.fn()
  const waiting = withTimeout(new Promise(() => {}), 100).catch(settled)
  await jest.advanceTimersByTimeAsync(99)
  expect(settled).not.toHaveBeenCalled()
  await jest.advanceTimersByTimeAsync(1)
  await waiting
  expect(settled).toHaveBeenCalledWith(expect.any(TimeoutError))
  expect(settled).toHaveBeenCalledWith(
    expect.objectContaining({ name: 'TimeoutError', code: 'timeout', message: 'no result within 100 ms' }),
  )
})

test('an error after the timeout causes no unhandled rejection', async () => {
  const unhandled = jest.fn()
  process.on('unhandledRejection', unhandled)
  const work = Promise.withResolvers<void>()
  const waiting = expect(withTimeout(work.promise, 100)).rejects.toThrow(TimeoutError)
  await jest.advanceTimersByTimeAsync(100)
  await waiting
  work.reject(new Error('too late'))
  jest.useRealTimers()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})
