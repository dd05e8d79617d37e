import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import * as z from 'zod'
import type { CodedError } from '../problem/index.ts'
import { client, closeAll, closeLater, GET, instance, json, POST, refusingPort } from './fakes.ts'
import { UpstreamStatusError } from './json.ts'

afterEach(closeAll)

test('a request passes on its id, its trace, its priority and the time that is left', async () => {
  const { port, seen } = await instance((_req, res) => json(res, { id: '1' }))
  const traceHeaders = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  const context = { requestId: 'r-1', deadline: 1_250.9, priority: 'core', traceHeaders } as const
  const { json: request } = await client([port], { now: () => 1_000, context: () => context })
  const schema = z.object({ id: z.string() })
  expect(await request({ ...POST, idempotencyKey: 'k-1', schema })).toEqual({ id: '1' })
  expect(seen[0]?.headers).toMatchObject({
    host: `payments:${port}`,
    accept: 'application/json',
    'content-type': 'application/json',
    'content-length': '12',
    'idempotency-key': 'k-1',
    'x-request-id': 'r-1',
    'x-request-priority': 'core',
    'x-request-timeout-ms': '250',
    'x-envoy-expected-rq-timeout-ms': '250',
    ...traceHeaders,
  })
})

test.each(['GET', 'DELETE', 'OPTIONS', 'PUT'])('%s sends its body with a length', async (method) => {
  const { port, seen } = await instance(async (req, res) => json(res, await text(req)))
  const { request } = await client([port])
  for (let calls = 0; calls < 2; calls++) {
    const { status, body } = await request({ method, path: '/', body: { amount: 1 } })
    expect([status, JSON.parse(body.toString())]).toEqual([200, '{"amount":1}'])
  }
  expect(seen.map(({ headers }) => headers['content-length'])).toEqual(['12', '12'])
})

test('the fallback supplies the value of a failed call, but not of a call that the upstream has rejected', async () => {
  const { port } = await instance((_req, res) => json(res, {}, 404))
  const up = await client([port])
  const down = await client([await refusingPort()])
  const schema = z.object({ id: z.string() })
  const codes: string[] = []
  const fallback = ({ code }: CodedError) => {
    codes.push(code)
    return { id: 'last known' }
  }
  await expect(up.json({ ...GET, schema, fallback })).rejects.toMatchObject({ status: 404 })
  expect(codes).toEqual([])
  expect(up.report().fallbacks).toBe(0)
  expect(await down.json({ ...GET, schema, fallback })).toEqual({ id: 'last known' })
  const isolated = await client([port], { isOpen: () => true })
  expect(await isolated.json({ ...GET, schema, fallback })).toEqual({ id: 'last known' })
  expect(codes).toEqual(['upstream_unavailable', 'upstream_unavailable'])
  const none = down.json({ ...GET, schema, fallback: () => undefined })
  await expect(none).rejects.toMatchObject({ code: 'upstream_unavailable' })
  const impossible = down.json({ ...GET, path: '/a b', schema, fallback })
  await expect(impossible).rejects.toThrow(TypeError)
  expect([down.report().fallbacks, isolated.report().fallbacks]).toEqual([1, 1])
})

test('a request that was not sent goes to another instance, with any method', async () => {
  const { port, seen } = await instance((_req, res) => json(res, {}))
  const { request, attempts } = await client([await refusingPort(), port])
  expect((await request(POST)).status).toBe(200)
  expect(attempts.map(({ errorType }) => errorType)).toEqual(['refused', undefined])
  expect(seen).toHaveLength(1)
})

test('a retry goes to another instance, even when it is more expensive', async () => {
  const waiting: ServerResponse[] = []
  const arrived = Promise.withResolvers<void>()
  const busy = await instance((_req, res) => {
    if (waiting.push(res) > 1) json(res, {})
    arrived.resolve()
  })
  const failing = await instance((_req, res) => json(res, {}, 503))
  const { request, attempts } = await client([busy.port, failing.port])
  const held = request(GET)
  await arrived.promise
  expect((await request(GET)).status).toBe(200)
  expect(attempts.map(({ status }) => status)).toEqual([503, 200])
  json(waiting[0]!, {})
  await held
})

test('a POST whose connection broke is sent again only with an idempotency key', async () => {
  const broken = await instance((req) => req.socket.destroy())
  const good = await instance((_req, res) => json(res, {}))
  const unkeyed = await client([broken.port, good.port])
  await expect(unkeyed.request(POST)).rejects.toMatchObject({ code: 'upstream_unavailable' })
  expect([broken.seen.length, good.seen.length]).toEqual([1, 0])
  const keyed = await client([broken.port, good.port])
  expect((await keyed.request({ ...POST, idempotencyKey: 'k-1' })).status).toBe(200)
  expect([broken.seen.length, good.seen.length]).toEqual([2, 1])
})

test('after three connection failures only a probe reaches an instance, and its success brings it back', async () => {
  let now = 0
  const broken = await instance((req) => req.socket.destroy())
  const good = await instance((_req, res) => json(res, {}))
  const { request, tick, events, report } = await client([broken.port, good.port], { now: () => now })
  // The load is equal, so each request tries the first instance until it costs more than the second.
  for (let index = 0; broken.seen.length < 3; index++) {
    expect(index).toBeLessThan(100)
    // The second instance is busy.
    const busy = index % 2 === 0 ? [] : [request(GET)]
    await Promise.all([...busy, request(GET)])
  }
  const instanceOf = { upstream: 'payments', host: '127.0.0.1', port: broken.port }
  expect(events).toContainEqual({ type: 'instance ejected', ...instanceOf })
  for (let index = 0; index < 50; index++) await request(GET)
  expect(broken.seen).toHaveLength(3)
  now = 1_499
  await tick()
  expect(report().instances[0]).toMatchObject({ isEjected: true })
  now = 1_500
  await tick()
  expect(report().instances[0]).toMatchObject({ isEjected: false })
  expect(events.at(-1)).toEqual({ type: 'instance back', ...instanceOf })
})

test('an instance without requests is probed every five seconds, with jitter', async () => {
  let now = 0
  let probes = 0
  const slow = createServer((_req, res) => {
    probes++
    res.end()
  }).listen(0, '127.0.0.1')
  await once(slow, 'listening')
  closeLater(slow)
  const { tick, report } = await client([(slow.address() as AddressInfo).port], { now: () => now })
  await tick()
  expect(probes).toBe(1)
  expect(report().instances[0]).toMatchObject({ latencyMs: undefined })
  now = 3_749
  await tick()
  expect(probes).toBe(1)
  now = 3_750
  await tick()
  expect(probes).toBe(2)
})

test('when every instance fails, the attempts stay within the budget', async () => {
  const failing = await Promise.all([1, 2, 3].map(() => instance((_req, res) => json(res, {}, 503))))
  const { request, report } = await client(failing.map(({ port }) => port))
  // One more request would open the circuit, which would end the attempts.
  const requests = 19
  for (let index = 0; index < requests; index++) await expect(request(GET)).rejects.toThrow('upstream unavailable')
  const attempts = failing.reduce((sum, { seen }) => sum + seen.length, 0)
  expect(attempts).toBe(requests + 11)
  expect(report()).toMatchObject({ retries: 11, circuit: 'closed' })
  expect(report().retriesWithoutBudget).toBeGreaterThan(0)
})

test('a 429 is retried after its retry-after, within the deadline, and does not count against the upstream', async () => {
  let refusals = 1
  const { port, seen } = await instance((_req, res) => {
    if (refusals-- > 0) res.writeHead(429, { 'retry-after': '0' }).end()
    else json(res, {})
  })
  const { request, report } = await client([port])
  expect((await request(GET)).status).toBe(200)
  expect(seen).toHaveLength(2)
  refusals = 1_000
  for (let index = 0; index < 40; index++) {
    await expect(request({ ...POST })).rejects.toMatchObject({ code: 'upstream_unavailable' })
  }
  expect(seen).toHaveLength(42)
  expect(report()).toMatchObject({ circuit: 'closed', instances: [{ success: 1 }] })
})

test('calls above the concurrency limit fail at once, and background calls use at most half of it', async () => {
  const waiting: ServerResponse[] = []
  const arrived = Promise.withResolvers<void>()
  const { port } = await instance((_req, res) => {
    if (waiting.push(res) === 4) arrived.resolve()
  })
  const { request, report } = await client([port], { concurrency: 4 })
  const background = [1, 2].map(() => request({ ...GET, priority: 'background' }))
  await expect(request({ ...GET, priority: 'background' })).rejects.toMatchObject({ code: 'upstream_unavailable' })
  const others = [request(GET), request(GET)]
  await expect(request(GET)).rejects.toMatchObject({ cause: { reason: 'concurrency' } })
  await arrived.promise
  for (const res of waiting) json(res, {})
  expect((await Promise.all([...background, ...others])).map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect(report()).toMatchObject({ inProgress: 0, rejectedByConcurrency: 2, circuit: 'closed' })
})

test('a status other than 2xx causes an error with the status, and is not a failure of the upstream', async () => {
  const { port } = await instance((_req, res) => json(res, {}, 404))
  const { json: request, report } = await client([port])
  const error = await request({ ...GET, schema: z.object({}) }).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(UpstreamStatusError)
  expect(error).toMatchObject({ status: 404, code: 'upstream_invalid_response' })
  expect(report().instances[0]).toMatchObject({ success: 1 })
})

test.each([
  ['a path with a space', { ...GET, path: '/payments/a b' }],
  ['a path with a line break', { ...GET, path: '/payments/1\r\nx: y' }],
  ['a path with a character outside of Latin-1', { ...GET, path: '/payments/€' }],
  ['a path without a slash', { ...GET, path: 'payments' }],
  ['a body that is not JSON', { ...POST, body: { amount: 1n } }],
  ['a method that is not a token', { ...GET, method: 'GET /' }],
])('%s is a mistake in this service and does not count against the upstream', async (_name, request) => {
  const { port, seen } = await instance((_req, res) => json(res, {}))
  const upstream = await client([port])
  const before = upstream.report()
  for (let calls = 0; calls < 30; calls++)
    await expect(upstream.request(request)).rejects.toMatchObject({ name: 'TypeError' })
  expect(upstream.report()).toEqual(before)
  expect(seen).toHaveLength(0)
  expect((await upstream.request(GET)).status).toBe(200)
})
