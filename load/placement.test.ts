import { expect, test } from '@jest/globals'
import type { LinkProcess } from './evidence.ts'
import { placeProcesses } from './placement.ts'

const link = (instances: number): LinkProcess[] => [
  { name: 'postgres', kind: 'database', pid: 1 },
  { name: 'nginx', kind: 'proxy', pid: 2 },
  ...Array.from(
    { length: instances },
    (_, index): LinkProcess => ({ name: 'service', kind: 'service', pid: 10 + index }),
  ),
]

test('the generator and each instance have a core of their own, and the other processes share the rest', () => {
  expect(placeProcesses(link(2), [0, 1, 2, 3, 4])).toEqual({
    generatorCore: 4,
    pins: [
      { pid: 1, cores: [1, 0] },
      { pid: 2, cores: [1, 0] },
      { pid: 10, cores: [3] },
      { pid: 11, cores: [2] },
    ],
  })
})

test('instances without a core of their own share the rest, which is never empty', () => {
  const pins = placeProcesses(link(4), [0, 1, 2, 3])?.pins.map(({ cores }) => cores)
  expect(pins).toEqual([[0], [0], [2], [1], [0], [0]])
})

test('no process is pinned on a machine with fewer than four cores', () => {
  expect(placeProcesses(link(1), [0, 1, 2])).toBeUndefined()
})
