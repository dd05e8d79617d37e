import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { afterAll, expect, jest, test } from '@jest/globals'
import request from 'supertest'
import { createServiceBoard, isLocalName } from './board.ts'

const health = { snapshot: () => ({ status: 'ok' as const, timestamp: 1, checks: {}, history: {} }) }
const lifecycle = { phase: () => 'serving' as const }
const metrics = { connections: () => [['database', 'waiting', 3] as const] }
const setTimer = jest.spyOn(globalThis, 'setInterval')
const board = createServiceBoard({ service: 's', version: '1', lifecycle, health, metrics })
const [readPanels] = setTimer.mock.calls[0] as [() => void]
setTimer.mockRestore()
const server = createServer((request, response) => {
  if (!board.respond(request, response)) response.writeHead(404).end()
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const client = request(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
afterAll(() => {
  board.stop()
  server.close()
})

const PATHS = ['/', '/?q=1', '/board.css', '/board.js', '/board.json', '/board.json?q=1']

test.each(PATHS)('GET %s is not stored, not framed, and loads only its own files', async (path) => {
  const { headers, text } = await client.get(path).expect(200)
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'content-length': String(Buffer.byteLength(text)),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy':
      "default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'self';script-src 'self';style-src 'self';" +
      "connect-src 'self';img-src data:;require-trusted-types-for 'script'",
  })
  expect(headers).not.toHaveProperty('access-control-allow-origin')
  const head = await client.head(path).expect(200)
  expect({ ...head.headers, date: '' }).toEqual({ ...headers, date: '' })
})

test.each(['post', 'put', 'delete', 'options'] as const)('%s is not allowed', async (method) => {
  await client[method]('/board.json').expect(405).expect('allow', 'GET, HEAD')
})

test('other paths belong to other handlers', async () => {
  for (const path of ['/metrics', '/board', '/board.json/', '//', '/index.html']) await client.get(path).expect(404)
})

test('the files have types that a browser executes', async () => {
  await client.get('/').expect('content-type', 'text/html; charset=utf-8')
  await client.get('/board.js').expect('content-type', 'text/javascript; charset=utf-8')
  await client.get('/board.css').expect('content-type', 'text/css; charset=utf-8')
  await client.get('/board.json').expect('content-type', 'application/json; charset=utf-8')
})

test('the panels without the resident memory are read when no file descriptor is free', () => {
  const read = jest.spyOn(process, 'memoryUsage').mockImplementation(() => {
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  })
  expect(readPanels).not.toThrow()
  read.mockRestore()
})

test('a browser that uses another name gets no data', async () => {
  for (const path of PATHS) {
    const { body } = await client.get(path).set('host', 'attacker.example.com').expect(421)
    expect(body).toMatchObject({ code: 'misdirected_request' })
  }
  for (const host of ['localhost:9464', 'app', '[::1]:9464', '10.0.0.7']) {
    await client.get('/board.json').set('host', host).expect(200)
  }
})

test.each([
  ['127.0.0.1', true],
  ['127.0.0.1:9464', true],
  ['[2001:db8::1]:9464', true],
  ['localhost', true],
  ['board.localhost:80', true],
  ['my-service_1:9464', true],
  ['attacker.example', false],
  ['127.0.0.1.attacker.example', false],
  ['localhost.attacker.example:9464', false],
  ['127.0.0.1.', false],
  ['localhost.', false],
])('the host %s is a local name: %s', (host, expected) => {
  expect(isLocalName(host)).toBe(expected)
})

test('the state has panels for the event loop, the memory and the connections, and added panels', async () => {
  board.addPanel({ name: 'Upstreams', read: () => [{ name: 'payments calls', value: 4, unit: '', limit: 50 }] })
  const { body } = await client.get('/board.json').expect(200)
  expect(body).toMatchObject({ service: 's', version: '1', phase: 'serving', checks: {}, findings: [], routes: [] })
  const readings = (body.panels as { panel: string; name: string; value: number }[]).map(
    ({ panel, name }) => `${panel}: ${name}`,
  )
  expect(readings).toEqual([
    'Event loop: busy',
    'Event loop: delay P99',
    'Event loop: longest delay',
    'Memory: resident',
    'Memory: heap',
    'Connections: database waiting',
    'Upstreams: payments calls',
  ])
  expect(body.panels.at(-1)).toMatchObject({ value: 4, limit: 50 })
  for (const { value } of body.panels) expect(value).toEqual(expect.any(Number))
})

test('the longest delay of the event loop covers the time since the last reading', async () => {
  async function readDelay(): Promise<number> {
    readPanels()
    const { body } = await client.get('/board.json').expect(200)
    return body.panels.find(({ name }: { readonly name: string }) => name === 'longest delay').value
  }
  do {
    for (const start = performance.now(); performance.now() - start < 60; );
    await setImmediate()
  } while ((await readDelay()) < 45)
  while ((await readDelay()) >= 45);
})
