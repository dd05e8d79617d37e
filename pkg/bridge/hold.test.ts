import { expect, test } from '@jest/globals'
import type { Endpoint } from './endpoints.ts'
import { decide, type Hold, isHolding, onFailure, onList, startHold } from './hold.ts'

const options = { graceMs: 15_000, allowEmpty: false }
const list = (...numbers: number[]) => numbers.map((n): Endpoint => ({ host: `10.0.0.${n}`, port: 80, weight: 1 }))
const FIVE = list(1, 2, 3, 4, 5)

/** A bridge that has followed the registry for longer than the grace period. */
const followed = (endpoints: readonly Endpoint[]): Hold =>
  decide(onList(startHold(undefined), endpoints, 0, options), 15_000, options)

test('without a saved list, the first list is published', () => {
  expect(startHold(undefined).published).toBeUndefined()
  const hold = onList(startHold(undefined), FIVE, 0, options)
  expect(hold.published).toEqual(FIVE)
  expect(onList(hold, list(1), 1, options).published).toEqual(list(1))
})

test('instances that disappear one by one are removed at once', () => {
  let hold = followed(FIVE)
  for (const n of [4, 3, 2, 1]) {
    hold = onList(hold, FIVE.slice(0, n), 20_000, options)
    expect(hold.published).toEqual(FIVE.slice(0, n))
    expect(isHolding(hold, 20_000, options)).toBe(false)
  }
})

test('several instances that disappear together are removed at once', () => {
  expect(onList(followed(FIVE), list(1, 2), 20_000, options).published).toEqual(list(1, 2))
})

test('a registry that fails changes nothing', () => {
  const hold = onFailure(followed(FIVE))
  expect(hold.published).toEqual(FIVE)
  expect(decide(hold, 1e9, options).published).toEqual(FIVE)
})

test('a registry that starts again empty and fills one by one removes nothing', () => {
  let hold = onFailure(followed(FIVE))
  hold = onList(hold, [], 60_000, options)
  expect(decide(hold, 1e9, options).published).toEqual(FIVE)
  for (const n of [1, 2, 3, 4, 5]) {
    hold = onList(hold, FIVE.slice(0, n), 100_000 + n * 2_000, options)
    expect(hold.published).toEqual(FIVE)
  }
  expect(isHolding(hold, 110_000, options)).toBe(false)
})

test('instances that do not register again are removed after the grace period, which begins with the first instance', () => {
  let hold = onList(onFailure(followed(FIVE)), [], 60_000, options)
  hold = onList(hold, list(1), 70_000, options)
  expect(isHolding(hold, 84_999, options)).toBe(true)
  hold = onList(hold, list(1, 2), 84_999, options)
  expect(hold.published).toEqual(FIVE)
  expect(decide(hold, 85_000, options).published).toEqual(list(1, 2))
})

test('a registry that was empty between two requests is treated like one that failed', () => {
  const hold = onList(onList(followed(FIVE), [], 20_000, options), list(3), 21_000, options)
  expect(hold.published).toEqual(FIVE)
  expect(decide(hold, 36_000, options).published).toEqual(list(3))
})

test('a registry that returns with fewer instances removes them after the grace period', () => {
  const hold = onList(onFailure(followed(FIVE)), list(1), 20_000, options)
  expect(hold.published).toEqual(FIVE)
  expect(decide(hold, 35_000, options).published).toEqual(list(1))
})

test('a failure during the grace period keeps the list until the registry returns for a whole period', () => {
  let hold = onFailure(onList(onFailure(followed(FIVE)), list(1), 20_000, options))
  expect(decide(hold, 1e9, options).published).toEqual(FIVE)
  hold = onList(hold, list(1), 100_000, options)
  expect(decide(hold, 114_999, options).published).toEqual(FIVE)
  expect(decide(hold, 115_000, options).published).toEqual(list(1))
})

test('new instances and new weights are published during the grace period', () => {
  const changed = [{ ...FIVE[0]!, weight: 7 }, ...list(6)]
  const hold = onList(onFailure(followed(FIVE)), changed, 20_000, options)
  expect(hold.published).toHaveLength(6)
  expect(hold.published).toEqual(expect.arrayContaining(changed))
})

test('the saved list is published, and removals wait, because the registry may have restarted meanwhile', () => {
  const saved = startHold(FIVE)
  expect(saved.published).toEqual(FIVE)
  const hold = onList(saved, list(1), 0, options)
  expect(hold.published).toEqual(FIVE)
  expect(decide(hold, 15_000, options).published).toEqual(list(1))
})

test('an empty list is published only when it is allowed, and after the grace period', () => {
  const allowing = { ...options, allowEmpty: true }
  const hold = onList(followed(FIVE), [], 20_000, allowing)
  expect(hold.published).toEqual(FIVE)
  expect(isHolding(hold, 20_000, allowing)).toBe(true)
  expect(decide(hold, 35_000, allowing).published).toEqual([])
  expect(decide(onList(followed(FIVE), [], 20_000, options), 1e9, options).published).toEqual(FIVE)
})
