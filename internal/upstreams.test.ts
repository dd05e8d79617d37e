import { expect, test } from '@jest/globals'
import type { Panel } from '#pkg/board/index.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import type { UpstreamReport } from '#pkg/upstream/index.ts'
import { createUpstreams, requireUsable } from './upstreams.ts'

test('each upstream has a check that is not critical, and readings on the board', async () => {
  const checks: unknown[] = []
  const panels: Panel[] = []
  const { part } = createUpstreams({
    upstreams: [{ name: 'search', source: { type: 'static', origins: [] } }],
    requestTimeoutMs: 1_000,
    concurrency: 8,
    open: () => [],
    context: createRequestContext(),
    logger: createLogger({ level: 'silent', destination: { write() {} } }),
    health: { watch: ({ name, critical }) => void checks.push([name, critical?.()]) },
    board: { addPanel: (panel) => void panels.push(panel) },
  })
  part.stop()
  expect(checks).toEqual([['upstream-search', false]])
  expect(panels.map(({ name }) => name)).toEqual(['Upstreams'])
  expect(panels[0]?.read()).toEqual([
    { name: 'search calls in progress', value: 0, unit: '', limit: 8 },
    { name: 'search instances ejected', value: 0, unit: '', limit: 0 },
    { name: 'search retries left', value: 10, unit: '' },
    { name: 'search circuit open', value: 0, unit: '' },
  ])
})

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
