import { expect, test } from '@jest/globals'
import { createQueue } from './queue.ts'

test('entries keep their order while thousands pass through a queue that is never empty', () => {
  const queue = createQueue<number>()
  const seen: number[] = []
  let next = 0
  for (let count = 0; count < 10; count++) queue.push('normal', next++)
  for (let count = 0; count < 5_000; count++) {
    queue.push('normal', next++)
    seen.push(queue.shift()!)
  }
  expect(queue.size).toBe(10)
  while (queue.size > 0) seen.push(queue.shift()!)
  expect(seen).toEqual(Array.from({ length: next }, (_, index) => index))
  expect(queue.shift()).toBeUndefined()
})

test('a queue that was empty serves later entries by priority, and expires them from the front', () => {
  const queue = createQueue<string>()
  queue.push('core', 'first')
  expect(queue.shift()).toBe('first')
  for (const [priority, entry] of [
    ['background', 'old'],
    ['background', 'new'],
    ['core', 'core'],
  ] as const) {
    queue.push(priority, entry)
  }
  const expired: string[] = []
  queue.expire(
    (entry) => entry === 'old',
    (entry) => expired.push(entry),
  )
  expect(expired).toEqual(['old'])
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(['core', 'new', undefined])
})
