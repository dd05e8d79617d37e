import type { RequestListener } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import { client, closeAll, GET, instance, json, POST } from './fakes.ts'
import { COOL_DOWN_MS } from './guard.ts'

afterEach(closeAll)

test('the deadline ends a call, and the instance sees the connection close', async () => {
  const closed = Promise.withResolvers<void>()
  const { port, seen } = await instance((req) => void req.once('close', closed.resolve))
  const { request, attempts } = await client([port])
  await expect(request({ ...GET, timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'upstream_timeout' })
  await closed.promise
  expect(seen).toHaveLength(1)
  expect(attempts).toMatchObject([{ status: undefined, errorType: 'timeout' }])
})

test('an earlier deadline of the caller ends a call, and a call after the deadline is not sent', async () => {
  const { port, seen } = await instance((_req, res) => json(res, {}))
  const { request } = await client([port], { now: () => 1_000, context: () => ({ deadline: 1_000 }) })
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_timeout' })
  expect(seen).toHaveLength(0)
})

test('when the caller disconnects, its call is cancelled without a retry and does not count as a failure', async () => {
  const arrived = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const { port, seen } = await instance((req) => {
    arrived.resolve()
    req.once('close', closed.resolve)
  })
  const caller = new AbortController()
  const { request, report } = await client([port], { context: () => ({ signal: caller.signal }) })
  const call = request(GET)
  await arrived.promise
  expect(report()).toMatchObject({ inProgress: 1, instances: [{ inFlight: 1, activeConnections: 1 }] })
  caller.abort()
  await expect(call).rejects.toMatchObject({ cause: { attempt: { kind: 'cancelled' } } })
  await closed.promise
  expect(seen).toHaveLength(1)
  expect(report()).toMatchObject({ inProgress: 0, instances: [{ success: 1, inFlight: 0 }] })
})

test('a timeout counts against the upstream at the own limit of the call, but not at a short deadline of the caller', async () => {
  const { port } = await instance(() => undefined)
  let deadline: number | undefined
  const { request, report } = await client([port], { timeoutMs: 40, context: () => ({ deadline }) })
  deadline = performance.now() + 10
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_timeout' })
  expect(report().instances[0]).toMatchObject({ success: 1 })
  deadline = undefined
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_timeout' })
  expect(report().instances[0]).toMatchObject({ success: 0.9 })
  // The time counts as a latency in both cases. A timer may fire a little early.
  expect(report().instances[0]!.latencyMs).toBeGreaterThan(30)
})

test('a call without a response makes its instance more expensive after a long wait, and never cheaper', async () => {
  let now = 0
  let deadline: number | undefined
  let handle: RequestListener = () => undefined
  const { port } = await instance((req, res) => handle(req, res))
  const { request, report } = await client([port], { now: () => now, context: () => ({ deadline }) })
  const load = () => report().instances[0]
  handle = (_req, res) => {
    now += 1_000
    json(res, {}, 500)
  }
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_unavailable' })
  handle = (_req, res) => {
    now += 1_000
    json(res, {})
  }
  await request(GET)
  expect(load()).toMatchObject({ latencyMs: 1_000, success: expect.closeTo(0.91) })

  now += 10_000
  handle = () => undefined
  deadline = now + 10
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_timeout' })
  deadline = undefined
  expect(load()).toMatchObject({ latencyMs: 1_000, success: expect.closeTo(0.91) })

  const disconnectAfter = async (ms: number) => {
    const caller = new AbortController()
    handle = () => {
      now += ms
      caller.abort()
    }
    await expect(request({ ...GET, signal: caller.signal })).rejects.toMatchObject({ code: 'upstream_unavailable' })
  }
  await disconnectAfter(10)
  expect(load()).toMatchObject({ latencyMs: 1_000 })
  await disconnectAfter(3_000)
  expect(load()).toMatchObject({ latencyMs: 3_000 })
})

test('a trial that ends without a response does not close the circuit', async () => {
  let now = 0
  let hang = () => {}
  let isDown = true
  let deadline: number | undefined
  const { port } = await instance((_req, res) => (isDown ? json(res, {}, 503) : hang()))
  const { request, tick, report } = await client([port], { now: () => now, context: () => ({ deadline }) })
  const allowTrial = async () => {
    now += COOL_DOWN_MS
    await tick()
  }
  for (let index = 0; index < 20; index++) await expect(request(POST)).rejects.toThrow()
  isDown = false
  await allowTrial()
  const caller = new AbortController()
  hang = () => caller.abort()
  await expect(request({ ...GET, signal: caller.signal })).rejects.toMatchObject({ code: 'upstream_unavailable' })
  expect(report().circuit).toBe('open')
  await allowTrial()
  deadline = now + 10
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_timeout' })
  expect(report().circuit).toBe('open')
  deadline = undefined
  await allowTrial()
  await expect(request({ ...GET, method: 'GET /' })).rejects.toMatchObject({ name: 'TypeError' })
  expect(report().circuit).toBe('open')
})

test('a call whose caller has already disconnected opens no connection and does not count', async () => {
  const { port } = await instance(() => undefined)
  const { request, report } = await client([port])
  for (let index = 0; index < 25; index++) {
    await expect(request({ ...GET, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'upstream_unavailable',
    })
  }
  const instances = [{ success: 1, activeConnections: 0, idleConnections: 0 }]
  expect(report()).toMatchObject({ circuit: 'closed', instances })
})
