import { beforeEach, expect, test } from '@jest/globals'
import { createSweep } from './sweep.ts'

let now = 0
let removals = 0
let found: number | Promise<number> | Error = 0
const errors: unknown[] = []
beforeEach(() => {
  now = 0
  removals = 0
  found = 0
  errors.length = 0
})

const create = (random = 0.5) =>
  createSweep({
    async remove() {
      removals += 1
      if (found instanceof Error) throw found
      return found
    },
    limit: 10,
    intervalMs: 1_000,
    onError: (error) => errors.push(error),
    now: () => now,
    random: () => random,
  })

/** Calls `sweep` at a time, and waits for the end of the deletion that it starts. */
async function callAt(ms: number, sweep: () => void): Promise<number> {
  now = ms
  sweep()
  await new Promise(setImmediate)
  return removals
}

test('each pause ends with one deletion, even after many calls', async () => {
  const sweep = create()
  expect(await callAt(999, sweep)).toBe(0)
  expect(await callAt(1_000, sweep)).toBe(1)
  expect(await callAt(1_999, sweep)).toBe(1)
  expect(await callAt(2_000, sweep)).toBe(2)
})

test.each([
  [0, 500],
  [1, 1_500],
])(
  'with the random number %d the pause is %d ms, so instances that start together do not delete together',
  async (random, pauseMs) => {
    const sweep = create(random)
    expect(await callAt(pauseMs - 1, sweep)).toBe(0)
    expect(await callAt(pauseMs, sweep)).toBe(1)
  },
)

test('after a full batch, the next call continues immediately', async () => {
  const sweep = create()
  found = 10
  expect(await callAt(1_000, sweep)).toBe(1)
  expect(await callAt(1_000, sweep)).toBe(2)
  found = 9
  expect(await callAt(1_000, sweep)).toBe(3)
  expect(await callAt(1_000, sweep)).toBe(3)
})

test('only one deletion is in progress at a time', async () => {
  const sweep = create()
  const { promise, resolve } = Promise.withResolvers<number>()
  found = promise
  expect(await callAt(1_000, sweep)).toBe(1)
  expect(await callAt(9_000, sweep)).toBe(1)
  resolve(0)
  await new Promise(setImmediate)
  expect(await callAt(9_999, sweep)).toBe(1)
  expect(await callAt(10_000, sweep)).toBe(2)
})

test('an error is reported, and the next deletion comes after the pause', async () => {
  const sweep = create()
  found = new Error('gone')
  expect(await callAt(1_000, sweep)).toBe(1)
  expect(errors).toEqual([found])
  expect(await callAt(1_001, sweep)).toBe(1)
  expect(await callAt(2_000, sweep)).toBe(2)
})
