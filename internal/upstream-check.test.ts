import { expect, test } from '@jest/globals'
import type { UpstreamReport } from '#pkg/upstream/index.ts'
import { requireUsable } from './upstream-check.ts'

const instances = (...failing: boolean[]) => failing.map((isFailing) => ({ isFailing }))

test.each([
  ['some instances work', 'closed', instances(true, false)],
  ['a call is on trial', 'half-open', instances(false)],
])('the check passes while %s', (_name, circuit, instances) => {
  expect(() => requireUsable({ circuit, instances } as UpstreamReport)).not.toThrow()
})

test.each([
  ['the circuit is open', 'open', instances(false), 'unhealthy'],
  ['an operator holds the circuit open', 'isolated', instances(false), 'unhealthy'],
  ['no instance is known', 'closed', [], 'unresolved'],
  ['every instance fails', 'closed', instances(true, true), 'refused'],
])('the check fails while %s', (_name, circuit, instances, reason) => {
  expect(() => requireUsable({ circuit, instances } as unknown as UpstreamReport)).toThrow(
    expect.objectContaining({ reason }),
  )
})
