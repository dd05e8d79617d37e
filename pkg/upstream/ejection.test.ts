import { expect, test } from '@jest/globals'
import { ACTIVE, type ConnectionEvent, type Ejection, nextEjection } from './ejection.ts'

/** The middle of the jitter: the durations are exact. */
const random = () => 0.5

const after = (state: Ejection, events: readonly ConnectionEvent[], now = 0, mayEject = true) =>
  events.reduce((current, event) => nextEjection(current, event, { now, random, mayEject }), state)

test('three consecutive connection failures eject an instance for two seconds', () => {
  expect(after(ACTIVE, ['failed', 'failed'], 100).probeAt).toBeUndefined()
  expect(after(ACTIVE, ['failed', 'failed', 'ok', 'failed', 'failed'], 100).probeAt).toBeUndefined()
  expect(after(ACTIVE, ['failed', 'failed', 'failed'], 100)).toMatchObject({ ejections: 1, probeAt: 2_100 })
})

test('the last instance in use is not ejected until another instance is back', () => {
  const last = after(ACTIVE, ['failed', 'failed', 'failed', 'failed'], 100, false)
  expect(last.probeAt).toBeUndefined()
  expect(after(last, ['failed'], 100).probeAt).toBe(2_100)
})

test('only a probe ends an ejection, and failed probes repeat every two seconds', () => {
  const ejected = after(ACTIVE, ['failed', 'failed', 'failed'], 0)
  expect(after(ejected, ['ok', 'failed'], 1_000)).toEqual(ejected)
  const still = after(ejected, ['probe failed'], 20_000)
  expect(still).toMatchObject({ ejections: 1, probeAt: 22_000 })
  expect(after(still, ['probe ok'], 22_000)).toMatchObject({ failures: 0, probeAt: undefined, activeSince: 22_000 })
})

test('each consecutive ejection lasts two seconds longer, up to half a minute, and time in use reduces the count', () => {
  let state = ACTIVE
  const lengths = []
  for (let index = 1; index <= 20; index++) {
    state = after(state, ['failed', 'failed', 'failed'], 0)
    lengths.push(state.probeAt)
    state = after(state, ['probe ok'], 0)
  }
  expect(lengths.slice(0, 3)).toEqual([2_000, 4_000, 6_000])
  expect(lengths.at(-1)).toBe(30_000)
  const later = after(state, ['failed', 'failed', 'failed'], 125_000)
  expect(later.probeAt! - 125_000).toBe(2_000 * (15 - 12 + 1))
})

test('jitter changes the duration of an ejection by up to a quarter in both directions', () => {
  const probeAt = (number: number) => {
    const context = { now: 0, random: () => number, mayEject: true }
    return nextEjection({ ...ACTIVE, failures: 2 }, 'failed', context).probeAt
  }
  expect(probeAt(0)).toBe(1_500)
  expect(probeAt(1)).toBe(2_500)
})
