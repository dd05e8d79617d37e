import { expect, test } from '@jest/globals'
import { backoff, confirm, fail, nextOperation, UNREGISTERED } from './registration-state.ts'

const READY = confirm(true, 5_000)

test.each([
  ['an instance that has never been ready is not registered', UNREGISTERED, false, 0, undefined],
  ['an instance that is ready is registered', UNREGISTERED, true, 0, 'register'],
  ['a registered instance waits for its renewal', READY, true, 4_999, undefined],
  ['a registered instance is renewed', READY, true, 5_000, 'renew'],
  ['a lost readiness is announced at once', READY, false, 1, 'register'],
  ['a readiness that has come back is announced at once', confirm(false, 5_000), true, 1, 'register'],
  ['an instance that is not ready is renewed', confirm(false, 5_000), false, 5_000, 'renew'],
  ['a failure is followed by a wait', fail(READY, 6_000), true, 5_999, undefined],
  ['a wait does not end with a change of the readiness', fail(READY, 6_000), false, 5_999, undefined],
  ['an instance is registered again after a failure', fail(READY, 6_000), true, 6_000, 'register'],
  ['a failure does not hide a lost readiness', fail(READY, 6_000), false, 6_000, 'register'],
  ['a failed first registration is repeated', fail(UNREGISTERED, 250), true, 250, 'register'],
])('%s', (_name, state, isReady, now, operation) => {
  expect(nextOperation(state, isReady, now)).toBe(operation)
})

test('the wait doubles with each failure up to the limit, and is random in its upper half', () => {
  const limits = { minMs: 250, maxMs: 5_000 }
  const waits = [1, 2, 3, 4, 5, 6, 2_000].map((failures) => [
    backoff(failures, limits, () => 0),
    backoff(failures, limits, () => 1),
  ])
  const expected = [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000].map((longest) => [longest / 2, longest])
  expect(waits).toEqual(expected)
})
