import { describe, expect, test } from '@jest/globals'
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

test('requests without a response and with a status of 400 or above have failed', () => {
  expect(errorShare([200, 201, 0, 404, 429, 503].map(request))).toBeCloseTo(4 / 6)
  // A request in flight has not failed yet.
  expect(errorShare([request(200), request()])).toBe(0)
})

describe('the figures of the control', () => {
  async function ask(path: string, requests: readonly Request[]) {
    const control = await startControl({
      load: () => ({
        requests,
        acknowledged: new Set(),
        refused: new Set(),
        select: () => requests,
        stop: async () => {},
      }),
      payments: { calls: [] },
      cutNext: async () => {},
      readTitles: async () => [],
      instances: [],
      countLines: () => 0,
    })
    const response = await fetch(`${control.url}${path}`)
    const body = await response.text()
    await control.stop()
    return [response.status, body]
  }

  test('are numbers', async () => {
    expect(await ask('/load/errors', [request(200), request(503)])).toEqual([200, '0.5'])
    expect(await ask('/load/p99', [request(200)])).toEqual([200, '5'])
    expect(await ask('/payments/wasted', [request(200)])).toEqual([200, '0'])
  })

  test.each(['/load/errors', '/load/p99', '/payments/wasted'])('of %s do not exist without a request', async (path) => {
    expect(await ask(path, [])).toEqual([400, 'no request of the load has ended'])
  })

  test('have no share of failures while every request hangs', async () => {
    expect(await ask('/load/errors', [request(), request()])).toEqual([400, 'no request of the load has ended'])
  })
})
