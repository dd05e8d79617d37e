import { expect, jest, test } from '@jest/globals'
import { type Count, localCounter, sharedCounter } from './counter.ts'

let time = 0
const now = () => time
const SECOND = 1_000

test('each client has a separate count, which ends with the minute', () => {
  const count = localCounter({ now })
  expect(count('a')).toEqual({ used: 1, resetMs: 60 * SECOND })
  time += 59 * SECOND
  expect([count('a'), count('b')]).toEqual([
    { used: 2, resetMs: SECOND },
    { used: 1, resetMs: SECOND },
  ])
  time += SECOND
  expect(count('a')).toEqual({ used: 1, resetMs: 60 * SECOND })
})

test('a wall clock that steps back an hour does not prolong the window', () => {
  const count = localCounter()
  const { resetMs } = count('a') as Count
  const stepped = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600 * SECOND)
  expect((count('a') as Count).resetMs).toBeLessThanOrEqual(resetMs)
  stepped.mockRestore()
})

test('a new client above the maximum ends the minute, and a known client does not', () => {
  const count = localCounter({ maxClients: 2, now })
  for (const client of ['a', 'b', 'a']) count(client)
  expect(count('b')).toMatchObject({ used: 2 })
  expect(count('c')).toMatchObject({ used: 1 })
  expect(count('a')).toMatchObject({ used: 1 })
})

/** Creates a shared counter whose store can fail. */
function shared() {
  let calls = 0
  let respond = (): Promise<Count> => Promise.resolve({ used: 100, resetMs: 1 })
  const events: unknown[] = []
  const count = sharedCounter({
    shared: () => {
      calls += 1
      return respond()
    },
    now,
    onEvent: ({ type }) => events.push(type),
  })
  return {
    count,
    events,
    calls: () => calls,
    respondWith(next: typeof respond) {
      respond = next
    },
  }
}

test('while the store works, all requests use the shared count', async () => {
  const { count, calls, events } = shared()
  const counts = await Promise.all([count('a'), count('a')])
  expect(counts.map(({ used }) => used)).toEqual([100, 100])
  expect([calls(), events]).toEqual([2, []])
})

test('after a failure the store is retried once a second, by one request', async () => {
  const { count, respondWith, calls, events } = shared()
  respondWith(() => Promise.reject(new Error('down')))
  expect(await count('a')).toMatchObject({ used: 1 })
  time += SECOND - 1
  await count('a')
  expect(calls()).toBe(1)
  time += 1
  await Promise.all([count('a'), count('a'), count('a')])
  expect(calls()).toBe(2)
  expect(events).toEqual(['counting alone'])
})

test('a store that recovers is used again, and each change is reported once', async () => {
  const { count, respondWith, events } = shared()
  respondWith(() => Promise.reject(new Error('down')))
  await Promise.all([count('a'), count('b')])
  respondWith(() => Promise.resolve({ used: 7, resetMs: 1 }))
  time += SECOND
  expect(await count('a')).toMatchObject({ used: 7 })
  expect(await count('a')).toMatchObject({ used: 7 })
  expect(events).toEqual(['counting alone', 'counting together'])
})

test('a response to a request from before the failure does not end the pause', async () => {
  const { count, respondWith, events } = shared()
  const slow = Promise.withResolvers<Count>()
  respondWith(() => slow.promise)
  const earlier = count('a')
  respondWith(() => Promise.reject(new Error('down')))
  await count('b')
  slow.resolve({ used: 7, resetMs: 1 })
  expect(await earlier).toMatchObject({ used: 7 })
  expect(await count('b')).toMatchObject({ used: 2 })
  expect(events).toEqual(['counting alone'])
})
