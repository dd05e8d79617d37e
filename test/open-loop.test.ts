import { createServer } from 'node:http'
import { expect, test } from '@jest/globals'
import { sendLoad } from './overload/programs.ts'
import { judge, type Row } from './resilience/scenario.ts'
import { listen } from './support/listen.ts'
import { latencyPercentile, openLoop, percentile } from './support/open-loop.ts'
import { startProber } from './support/prober.ts'
import { until } from './support/services.ts'

test('a request that waits for a response does not delay the next ones, and each latency counts from the plan', async () => {
  const waiting: (() => void)[] = []
  const run = await openLoop({
    ratePerSecond: 1_000,
    durationMs: 20,
    send(index) {
      const { promise, resolve } = Promise.withResolvers<number>()
      waiting.push(() => resolve(index))
      // The responses arrive only when every request has been sent.
      if (waiting.length === 20) for (const finish of waiting) finish()
      return promise
    },
  })
  expect(run.sent).toBe(20)
  expect(run.results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 20 }, (_, index) => index))
  for (const { intendedAt, startedAt, latencyMs, outcome } of run.results) {
    expect(intendedAt).toBe(outcome)
    expect(startedAt).toBeGreaterThanOrEqual(intendedAt)
    expect(latencyMs).toBeGreaterThanOrEqual(startedAt - intendedAt)
  }
  expect(latencyPercentile(run, 100)).toBe(Math.max(...run.results.map(({ latencyMs }) => latencyMs)))
  expect(latencyPercentile(run, 100, ({ outcome }) => outcome === 3)).toBe(run.results[3]!.latencyMs)
})

test('a generator that was blocked reports its lag, and sends the requests that are due', async () => {
  const block = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60)
  const run = await openLoop({
    ratePerSecond: 100,
    durationMs: 100,
    send: async (index) => void (index === 2 && block()),
  })
  expect(run.lag.maxMs).toBeGreaterThan(20)
  // The requests that the block delayed are still sent.
  expect(run.sent).toBe(10)
})

test('a signal ends a run, and an error of a request rejects it', async () => {
  const stop = new AbortController()
  const send = async (index: number) => void (index === 2 && stop.abort())
  expect((await openLoop({ ratePerSecond: 1_000, durationMs: 60_000, send, signal: stop.signal })).sent).toBe(3)
  const fail = () => Promise.reject(new Error('not sent'))
  await expect(openLoop({ ratePerSecond: 1_000, durationMs: 60_000, send: fail })).rejects.toThrow('not sent')
})

test('the times of a run count from the start that its caller gives', async () => {
  const startAt = performance.now() - 60_000
  const run = await openLoop({
    ratePerSecond: 1_000,
    durationMs: 3,
    startAt,
    send: async (_index, intendedAt) => intendedAt,
  })
  expect(run.results.map(({ outcome }) => outcome)).toEqual([startAt, startAt + 1, startAt + 2])
  expect(run.lag.p50Ms).toBeGreaterThan(59_000)
})

test('a probe whose response breaks off counts as a probe without a response, and the prober ends', async () => {
  let broken = 0
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('half', () => response.destroy())
    broken++
  })
  await using target = await listen(server)
  const prober = startProber(`${target.url}/health/live`)
  await until(() => broken > 2)
  const { count, statuses } = await prober.stop()
  expect(count).toBeGreaterThan(2)
  expect(statuses).toEqual({ 0: count })
})

test('a load without a successful response has no percentile, also in the report of another process', async () => {
  await using busy = await listen(createServer((_request, response) => response.writeHead(503).end()))
  const phases = [{ ratePerSecond: 100, seconds: 0.1, mix: { core: 1 } }]
  const [report] = await sendLoad({ port: busy.port, callers: 5, phases })
  expect(report?.paths).toMatchObject({ core: { sent: 10, good: 0, p99Ms: Number.NaN } })
})

test('a percentile is the nearest rank', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index)
  expect([percentile(values, 50), percentile(values, 99), percentile(values, 100)]).toEqual([100, 198, 200])
  expect(percentile([], 99)).toBeNaN()
})

test('a scenario fails when the service misses a goal, and when the naive implementation misses none', () => {
  const row: Row = { goal: 'p99', limit: '1 s', service: '2 s', naive: '3 s', isMet: true, isMetNaively: false }
  const judged = (changes: Partial<Row>, lagMs = 0) => judge({ rows: [{ ...row, ...changes }], lagMs })
  expect(judged({})).toEqual([])
  expect(judged({ isMet: false })).toEqual(['p99: 2 s, expected 1 s'])
  expect(judged({ isMetNaively: true })).toEqual(['the naive implementation meets every goal'])
  // A busy machine excuses a missed time, and nothing else.
  expect(judged({ isMet: false, isTimed: true }, 50)).toEqual([])
  expect(judged({ isMet: false }, 50)).toHaveLength(1)
  // A run without requests has no lag that could excuse a failure.
  expect(judged({ isMet: false, isTimed: true }, Number.NaN)).toHaveLength(1)
})
