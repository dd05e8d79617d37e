import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createEnvoySink } from './envoy.ts'

const TYPE = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment'

let sink: ReturnType<typeof createEnvoySink>
let server: Server
let refusals: string[]
beforeEach(async () => {
  refusals = []
  const onRefused = ({ message }: Error) => refusals.push(message)
  sink = createEnvoySink({ service: 'orders', maxBytes: 1_000, onRefused })
  server = createServer(sink.handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.close()
  server.closeAllConnections()
})

/** A request as Envoy sends it. */
const request = { node: { id: 'e1', cluster: 'edge' }, resource_names: ['orders'], type_url: TYPE }
const endpoints = [
  { host: '10.0.0.1', port: 80, weight: 1 },
  { host: '::1', port: 81, weight: 1 },
]

async function ask(body: unknown = request, { path = '/v3/discovery:endpoints', method = 'POST' } = {}) {
  const { port } = server.address() as AddressInfo
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(method === 'POST' && { body: text }) })
  const answer = await response.text()
  const json = response.status === 200 ? JSON.parse(answer) : undefined
  return { status: response.status, text: answer, json }
}

test('without a list the response is an error, so that Envoy keeps its endpoints', async () => {
  await expect(ask()).resolves.toMatchObject({ status: 503 })
})

test('the response is a ClusterLoadAssignment', async () => {
  await sink.publish(endpoints)
  const { json } = await ask()
  const address = (host: string, port: number) => ({
    endpoint: { address: { socket_address: { address: host, port_value: port } } },
    load_balancing_weight: 1,
  })
  expect(json).toEqual({
    version_info: expect.stringMatching(/^[0-9a-f]{32}$/),
    type_url: TYPE,
    resources: [
      {
        '@type': TYPE,
        cluster_name: 'orders',
        endpoints: [{ lb_endpoints: [address('10.0.0.1', 80), address('::1', 81)] }],
      },
    ],
  })
})

test('Envoy gets 304 until the content changes, and the same content has the same version again', async () => {
  await sink.publish(endpoints)
  const { version_info } = (await ask()).json
  await expect(ask({ ...request, version_info })).resolves.toMatchObject({ status: 304, text: '' })
  await sink.publish(endpoints.slice(1))
  const changed = await ask({ ...request, version_info })
  expect(changed.json.version_info).not.toBe(version_info)
  await sink.publish([...endpoints])
  expect((await ask({ ...request, version_info: changed.json.version_info })).json.version_info).toBe(version_info)
})

test('weights are integers, and weight 0 is draining', async () => {
  await sink.publish([0, 1, 2.5].map((weight, i) => ({ host: `10.0.0.${i}`, port: 80, weight })))
  const { json } = await ask()
  const [{ lb_endpoints: list }] = json.resources[0].endpoints
  expect(list).toMatchObject([
    { health_status: 'DRAINING' },
    { load_balancing_weight: 40 },
    { load_balancing_weight: 100 },
  ])
  expect(list[0].load_balancing_weight).toBeUndefined()
})

test('field names in camel case are accepted', async () => {
  await sink.publish(endpoints)
  const { version_info: versionInfo } = (await ask()).json
  const camel = { node: request.node, resourceNames: ['orders'], typeUrl: TYPE }
  await expect(ask(camel)).resolves.toMatchObject({ status: 200 })
  await expect(ask({ ...camel, versionInfo })).resolves.toMatchObject({ status: 304 })
})

test.each([
  ['no JSON', '<xml>', 400, 'not JSON'],
  ['null', 'null', 400, 'node.id'],
  ['no node', { ...request, node: undefined }, 400, 'node.id'],
  ['a node without an id', { ...request, node: { id: '' } }, 400, 'node.id'],
  ['another type', { ...request, type_url: 'type.googleapis.com/x' }, 400, 'type_url'],
  ['another cluster', { ...request, resource_names: ['stock'] }, 404, 'orders'],
  ['no cluster', { ...request, resource_names: undefined }, 404, 'orders'],
  ['names that are no list', { ...request, resource_names: 'orders' }, 404, 'orders'],
  ['a large body', `"${'x'.repeat(1_000)}"`, 413, '1000 bytes'],
])('a request with %s is refused, never with an empty list', async (_name, body, status, text) => {
  await sink.publish(endpoints)
  const refused = await ask(body)
  expect(refused.status).toBe(status)
  expect(refused.text).toContain(text)
  await expect(ask()).resolves.toMatchObject({ status: 200 })
})

test('a refusal is reported once, and a bridge without a list reports none', async () => {
  await ask()
  expect(refusals).toEqual([])
  await ask({ ...request, resource_names: ['stock'] })
  await ask({ ...request, resource_names: ['stock'] })
  await ask('<xml>')
  expect(refusals).toEqual([expect.stringContaining('orders'), 'the body is not JSON'])
})

test('refusals for alternating reasons are reported once each, until the list changes', async () => {
  await sink.publish(endpoints)
  for (const body of ['<xml>', { ...request, node: undefined }, '<xml>', { ...request, node: undefined }])
    await ask(body)
  expect(refusals).toHaveLength(2)
  await sink.publish(endpoints.slice(1))
  await ask('<xml>')
  expect(refusals).toHaveLength(3)
})

test('another path and another method are refused', async () => {
  await sink.publish(endpoints)
  await expect(ask(request, { path: '/v3/discovery:clusters' })).resolves.toMatchObject({ status: 404 })
  await expect(ask(request, { method: 'GET' })).resolves.toMatchObject({ status: 405 })
})

test('10,000 instances are one response', async () => {
  await sink.publish(Array.from({ length: 10_000 }, (_, i) => ({ host: '10.0.0.1', port: i + 1, weight: 1 })))
  const { json } = await ask()
  expect(json.resources[0].endpoints[0].lb_endpoints).toHaveLength(10_000)
})
