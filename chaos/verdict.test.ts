import { expect, test } from '@jest/globals'
import { judge } from './conduct.ts'
import { startControl } from './control.ts'
import { errorShare, type Request } from './load.ts'
import type { Run } from './runner.ts'

const met = { isMet: true, probes: [] }

/** Judges an experiment whose hypothesis held, with the output of its action. */
const judgeAction = (output: Run['output']) => {
  const run: Run = { name: 'break it', type: 'action', status: 'succeeded', ...(output && { output }) }
  return judge({ status: 'completed', deviated: false, before: met, run: [run], after: met, rollbacks: [] }, true)
}

test.each([
  ['the exit code 1', { status: 1, stdout: '', stderr: 'no' }],
  ['the exit code 127 of an unknown command', { status: 127, stdout: '', stderr: 'not found' }],
  ['the exit code 137 of a killed program', { status: 137, stdout: '', stderr: '' }],
  ['the status 404', { status: 404, body: '' }],
  ['the status 503', { status: 503, body: '' }],
])('an action that ends with %s makes the experiment invalid', (_name, output) => {
  expect(judgeAction(output)).toMatchObject({ verdict: 'invalid', reason: expect.stringContaining('break it') })
})

test('an action that succeeds leaves the verdict to the hypothesis', () => {
  expect(judgeAction({ status: 0, stdout: '', stderr: '' })).toEqual({ verdict: 'passed' })
  expect(judgeAction({ status: 204, body: '' })).toEqual({ verdict: 'passed' })
})

const request = (status?: number): Request => ({
  ...{ path: '/v1/payments/pay_1', method: 'GET', at: performance.now() },
  ...(status !== undefined && { status, latencyMs: 5 }),
})

test('a request fails without a response, or with a status of 400 or above', () => {
  expect(errorShare([200, 201, 0, 404, 429, 503].map(request))).toBeCloseTo(4 / 6)
  // A request in flight has not failed yet.
  expect(errorShare([request(200), request()])).toBe(0)
})

interface Calls {
  readonly requests?: readonly Request[]
  /** Number of cuts that have not happened when they are cancelled. */
  readonly left?: number
}

/** Sends requests to a control in turn. Resolves with their statuses and bodies. */
async function call(calls: readonly string[], { requests = [], left = 0 }: Calls = {}) {
  const select = () => requests
  const control = await startControl({
    load: () => ({ requests, select, acknowledged: new Set(), refused: new Set(), stop: async () => {} }),
    payments: { calls: [] },
    cutter: { cutNext: async () => {}, disarm: () => left },
    readTitles: async () => [],
    instances: [],
    countLines: () => 0,
  })
  const responses: (readonly [status: number, body: string])[] = []
  for (const each of calls) {
    const [method = '', path = '', body] = each.split(' ')
    const response = await fetch(`${control.url}${path}`, { method, ...(body && { body }) })
    responses.push([response.status, await response.text()])
  }
  await control.stop()
  return responses
}

const FIGURES = ['GET /load/errors', 'GET /load/p99', 'GET /payments/wasted']
const NONE = [400, 'no request of the load has ended']

test('the figures of the control are numbers', async () => {
  expect(await call(FIGURES, { requests: [request(200)] })).toEqual([
    [200, '0'],
    [200, '5'],
    [200, '0'],
  ])
})

test('the control has no figures without requests, and no share of failures while they hang', async () => {
  expect(await call(FIGURES)).toEqual([NONE, NONE, NONE])
  expect(await call(['GET /load/errors'], { requests: [request(), request()] })).toEqual([NONE])
})

test('cancelling the cuts is an error when no connection was cut', async () => {
  const cuts = ['POST /database/cuts {"before-commit":2,"after-write":1}', 'DELETE /database/cuts']
  const armed = [204, '']
  expect(await call(cuts, { left: 2 })).toEqual([armed, [204, '']])
  expect(await call(cuts, { left: 3 })).toEqual([armed, [400, 'no connection was cut']])
})
