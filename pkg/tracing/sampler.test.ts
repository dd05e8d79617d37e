import { expect, test } from '@jest/globals'
import { createSampler, type SamplerOptions } from './sampler.ts'

const ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const LOW = `${'f'.repeat(18)}${'0'.repeat(14)}`
const HIGH = `${'0'.repeat(18)}${'f'.repeat(14)}`

test.each<[SamplerOptions['name'], number, boolean | undefined, boolean]>([
  ['always_on', 0, undefined, true],
  ['always_on', 0, false, true],
  ['always_off', 1, undefined, false],
  ['always_off', 1, true, false],
  ['parentbased_always_on', 0, undefined, true],
  ['parentbased_always_on', 0, false, false],
  ['parentbased_always_off', 1, undefined, false],
  ['parentbased_always_off', 1, true, true],
  ['traceidratio', 1, false, true],
  ['traceidratio', 0, true, false],
  ['traceidratio', Number.EPSILON / 2, undefined, false],
  ['parentbased_traceidratio', 1, undefined, true],
  ['parentbased_traceidratio', 1, false, false],
  ['parentbased_traceidratio', 0, undefined, false],
  ['parentbased_traceidratio', 0, true, true],
])('%s with ratio %d and a parent that is sampled: %s decides %s', (name, ratio, parent, decision) => {
  const sample = createSampler({ name, ratio })
  expect([sample(ID, parent), sample(LOW, parent), sample(HIGH, parent)]).toEqual([decision, decision, decision])
})

test('the decision of a ratio depends only on the random digits of the trace id', () => {
  const sample = createSampler({ name: 'parentbased_traceidratio', ratio: 0.25 })
  expect([sample(LOW), sample(HIGH)]).toEqual([false, true])
  expect(sample(`${'0'.repeat(18)}c0000000000000`)).toBe(true)
  expect(sample(`${'0'.repeat(18)}bfffffffffffff`)).toBe(false)
})

test('a ratio records its share of random ids, including every trace that a lower ratio records', () => {
  const [tenth, half] = [0.1, 0.5].map((ratio) => createSampler({ name: 'traceidratio', ratio }))
  // The fractional parts of multiples of the golden ratio are spread evenly.
  const ids = Array.from({ length: 10_000 }, (_, index) => {
    const part = ((index * 0.6180339887498949) % 1) * 2 ** 52
    return `${'a'.repeat(18)}${Math.trunc(part).toString(16).padStart(13, '0')}0`
  })
  const recorded = ids.filter((id) => tenth?.(id))
  expect(recorded.length / ids.length).toBeCloseTo(0.1, 2)
  expect(ids.filter((id) => half?.(id)).length / ids.length).toBeCloseTo(0.5, 2)
  expect(recorded.every((id) => half?.(id))).toBe(true)
})
