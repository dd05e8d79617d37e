import { expect, jest, test } from '@jest/globals'
import { type Count, localCounter, sharedCounter } from './rate-counter.ts'

let time = 0
const now = () => time
const SECOND = 1_000

test('each client has a count of its own, which ends with the minute', () => {
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

test('one client more than it may keep ends the minute, and one that is known does not', () => {
  const count = localCounter({ maxClients: 2, now })
  for (const client of ['a', 'b', 'a']) count(client)
  expect(count('b')).toMatchObject({ used: 2 })
  expect(count('c')).toMatchObject({ used: 1 })
  expect(count('a')).toMatchObject({ used: 1 })
})

/** What is counted together, until it fails or hangs. */
function shared() {
  let asked = 0
  let answer = (): Promise<Count> => Promise.resolve({ used: 100, resetMs: 1 })
  const events: unknown[] = []
  const count = sharedCounter({
    shared: () => {
      asked += 1
      return answer()
    },
    local: () => ({ used: 1, resetMs: 1 }),
    now,
    onEvent: ({ type }) => events.push(type),
  })
  return {
    count,
    events,
    asked: () => asked,
    answers(next: typeof answer) {
      answer = next
    },
  }
}

test('as long as it can, it counts together, however many ask', async () => {
  const { count, asked, events } = shared()
  const counts = await Promise.all([count('a'), count('a')])
  expect(counts.map(({ used }) => used)).toEqual([100, 100])
  expect([asked(), events]).toEqual([2, []])
})

test('what fails is not asked again for a second, and then by one request only', async () => {
  const { count, answers, asked, events } = shared()
  answers(() => Promise.reject(new Error('away')))
  expect(await count('a')).toMatchObject({ used: 1 })
  time += SECOND - 1
  await count('a')
  expect(asked()).toBe(1)
  time += 1
  await Promise.all([count('a'), count('a'), count('a')])
  expect(asked()).toBe(2)
  expect(events).toEqual(['counting alone'])
})

test('what answers again is used again, and both are told once', async () => {
  const { count, answers, events } = shared()
  answers(() => Promise.reject(new Error('away')))
  await Promise.all([count('a'), count('b')])
  answers(() => Promise.resolve({ used: 7, resetMs: 1 }))
  time += SECOND
  expect(await count('a')).toMatchObject({ used: 7 })
  expect(await count('a')).toMatchObject({ used: 7 })
  expect(events).toEqual(['counting alone', 'counting together'])
})
