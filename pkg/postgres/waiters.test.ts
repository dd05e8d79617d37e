import { expect, test } from '@jest/globals'
import { createWaiters } from './waiters.ts'

test('a short queue timeout needs few decisions until the connect timeout', async () => {
  let decisions = 0
  const waiters = createWaiters({
    connectTimeoutMs: 100,
    queueTimeoutMs: 1,
    isFull() {
      decisions++
      return false
    },
    createTimeout: () => new Error('no connection in time'),
    onWait() {},
    startSpan: () => undefined,
  })
  const waiting = new Promise((resolve, reject) => {
    waiters.add({ priority: 'normal', isExclusive: false, take: resolve, reject })
  })
  await expect(waiting).rejects.toThrow('no connection in time')
  // After 1, 2, 4, 8, 16, 32 and 64 ms.
  expect(decisions).toBe(7)
  expect(waiters.size()).toBe(0)
})
