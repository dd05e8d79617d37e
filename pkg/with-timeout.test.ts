import { expect, jest, test } from '@jest/globals'
import { TimeoutError, withTimeout } from './with-timeout.ts'

test('work that settles in time decides the result', async () => {
  await expect(withTimeout(Promise.resolve(1), 60_000)).resolves.toBe(1)
  await expect(withTimeout(Promise.reject(new Error('its own')), 60_000)).rejects.toThrow('its own')
})

test('work that takes too long rejects with a TimeoutError', async () => {
  jest.useFakeTimers()
  const late = withTimeout(new Promise(() => {}), 60_000)
  jest.advanceTimersByTime(60_000)
  jest.useRealTimers()
  await expect(late).rejects.toThrow(TimeoutError)
  await expect(late).rejects.toMatchObject({ code: 'timeout' })
})
