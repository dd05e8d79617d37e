import { createServer, type RequestListener } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import { listen } from '../../test/support/listen.ts'
import { measure, prepareData } from '../measure.ts'
import { parseScenario } from '../scenario.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())))

async function serve(respond: RequestListener): Promise<string> {
  const { url, stop } = await listen(createServer(respond))
  stops.push(stop)
  return url
}

const create = (changes: object = {}) =>
  parseScenario(
    JSON.stringify({
      title: 'Test',
      operations: [{ name: 'read', weight: 1, path: '/things/{{thingId}}' }],
      data: { thingId: ['1'] },
      warmUpS: 0,
      steps: [{ rate: 20, durationS: 1 }],
      limits: { upTo: 20, p99Ms: 100 },
      ...changes,
    }),
    'test.json',
  )

const short = { rate: 20, durationS: 0.5 }

test('requests have the proportions and the data of the scenario, and keep their connections', async () => {
  const seen: string[] = []
  const ports = new Set<number | undefined>()
  const url = await serve((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    ports.add(request.socket.remotePort)
    response.end('{"id":"7"}')
  })
  const scenario = create({
    data: { thingId: { request: { method: 'POST', path: '/things' }, take: 'id', count: 2 } },
    operations: [
      { name: 'read', weight: 3, path: '/things/{{thingId}}' },
      { name: 'list', weight: 1, path: '/things' },
    ],
  })
  const data = await prepareData({ target: { url }, scenario })
  expect(data).toEqual({ thingId: ['7', '7'] })
  expect(seen.splice(0)).toEqual(['POST /things', 'POST /things'])
  ports.clear()
  const { offered, achieved, errors, p50Ms, maxMs } = await measure({
    ...{ target: { url }, scenario, data, rate: 40, durationS: 1 },
  })
  expect({ offered, achieved, errors }).toEqual({ offered: 40, achieved: 40, errors: {} })
  expect(maxMs).toBeGreaterThanOrEqual(p50Ms)
  expect(p50Ms).toBeGreaterThan(0)
  expect(seen.filter((each) => each === 'GET /things/7')).toHaveLength(30)
  expect(seen.filter((each) => each === 'GET /things')).toHaveLength(10)
  expect(ports.size).toBeLessThan(40)
})

test('a measurement discards large responses, and the creation of data rejects them', async () => {
  const url = await serve((_request, response) => void response.end(Buffer.alloc(2 * 1024 ** 2)))
  const scenario = create({
    data: { thingId: { request: { method: 'POST', path: '/things' }, take: 'id', count: 1 } },
  })
  const { errors, achieved } = await measure({ target: { url }, scenario, data: { thingId: ['1'] }, ...short })
  expect({ errors, achieved }).toEqual({ errors: {}, achieved: 20 })
  await expect(prepareData({ target: { url }, scenario })).rejects.toThrow('POST /things: body too large')
})

test('the latency counts from the intended start, so a stall of the system delays all requests of its time', async () => {
  let count = 0
  const held: (() => void)[] = []
  const url = await serve((_request, response) => {
    // The system responds to no request until it has received half of them, as after a stall.
    held.push(() => response.end())
    if (++count >= 10) for (const respond of held.splice(0)) respond()
  })
  const { maxMs, p50Ms, achieved } = await measure({ target: { url }, scenario: create(), rate: 20, durationS: 1 })
  expect(achieved).toBe(20)
  // The first request waits for the tenth, which leaves 450 ms later.
  expect(maxMs).toBeGreaterThan(440)
  expect(p50Ms).toBeLessThan(maxMs)
})

test('the users of a session think after each response, and the rate is the rate of requests', async () => {
  const url = await serve((_request, response) => response.end())
  const scenario = create({ session: { requests: 3, thinkMs: [100, 200] }, warmUpS: 1 })
  const { offered, achieved } = await measure({ target: { url }, scenario, rate: 60, durationS: 1 })
  expect(achieved).toBe(offered)
  // Twenty sessions begin each second. The limits leave room for a busy machine.
  expect(offered).toBeGreaterThan(30)
  expect(offered).toBeLessThanOrEqual(80)
})

test('failed requests are counted by kind', async () => {
  const hanging = await serve(() => {})
  const slow = await measure({ target: { url: hanging }, scenario: create({ timeoutMs: 100 }), ...short })
  expect(slow).toMatchObject({ errors: { timeout: 10 }, errorShare: 1, achieved: 0, p99Ms: 0 })
  const refused = await measure({ target: { url: 'http://127.0.0.1:1' }, scenario: create(), ...short })
  expect(refused.errors).toEqual({ ECONNREFUSED: 10 })
  const failing = await serve((_request, response) => response.writeHead(404).end())
  expect((await measure({ target: { url: failing }, scenario: create(), ...short })).errors).toEqual({ '404': 10 })
})

test('data that the system refuses to create is an error with the request and the response', async () => {
  const url = await serve((_request, response) => response.writeHead(422).end('no title'))
  const scenario = create({ data: { thingId: { request: { method: 'POST', path: '/things' }, take: 'id', count: 1 } } })
  await expect(measure({ target: { url }, scenario, ...short })).rejects.toThrow('POST /things: 422: no title')
})

test('a wrong address of the metrics fails the measurement, because the system would look idle', async () => {
  const url = await serve((request, response) => response.writeHead(request.url === '/metrics' ? 404 : 200).end())
  const measuring = measure({ target: { url, metrics: [`${url}/metrics`] }, scenario: create(), ...short })
  await expect(measuring).rejects.toThrow(`${url}/metrics: status 404`)
})

test('an aborted measurement rejects, and its requests end', async () => {
  const aborting = new AbortController()
  const url = await serve((request) => {
    request.socket.once('close', () => closed.resolve())
    aborting.abort()
  })
  const closed = Promise.withResolvers<void>()
  const measuring = measure({ target: { url }, scenario: create(), rate: 20, durationS: 60, signal: aborting.signal })
  await expect(measuring).rejects.toThrow('The operation was aborted')
  await closed.promise
})
