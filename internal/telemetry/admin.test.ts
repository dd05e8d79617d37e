import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import request from 'supertest'
import { createLogger } from '#pkg/logging/index.ts'
import { collectLines, findLineProblems } from '../../test/support/log-fields.ts'
import { until } from '../../test/support/services.ts'
import { type AdminDeps, createAdmin } from './admin.ts'

const others: Server[] = []
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  for (const server of others.splice(0)) server.close()
})

async function takePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  others.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function start(deps: Partial<AdminDeps> = {}) {
  const { lines, ...logOptions } = collectLines()
  const admin = createAdmin({
    headersTimeoutMs: 60_000,
    requestTimeoutMs: 60_000,
    keepAliveTimeoutMs: 60_000,
    socketTimeoutMs: 60_000,
    host: '127.0.0.1',
    port: 0,
    reusePort: false,
    metrics: {
      render: async (accept = 'none') => ({ contentType: 'text/plain', text: `accept ${accept}\n` }),
      stop() {},
    },
    logger: createLogger(logOptions),
    ...deps,
  })
  await admin.start()
  stops.push(async () => {
    await admin.stop(AbortSignal.abort())
    expect(lines.flatMap(findLineProblems)).toEqual([])
  })
  const port = Number(lines.find(({ message }) => message === 'admin listening')?.['server.port'])
  return { port, lines, admin, client: request(`http://127.0.0.1:${port}`) }
}

test('GET /metrics renders in the format that the client accepts, and HEAD sends the same head', async () => {
  const { client } = await start()
  const accept = 'application/openmetrics-text'
  const response = await client.get('/metrics?x').set('accept', accept).expect(200)
  expect(response.text).toBe(`accept ${accept}\n`)
  expect(response.headers).toMatchObject({ 'content-type': 'text/plain', 'cache-control': 'no-store', vary: 'accept' })
  const length = String(response.text.length)
  await client.head('/metrics').set('accept', accept).expect(200).expect('content-length', length)
})

test('other paths and methods are problems', async () => {
  const { client } = await start()
  for (const path of ['/', '/ping', '/metrics/', '/health/live']) {
    expect((await client.get(path).expect(404)).body).toMatchObject({ code: 'not_found' })
  }
  await client.post('/metrics').expect(405).expect('allow', 'GET, HEAD')
})

test('a metric that cannot be read is a 500 without its cause, and a line in the log', async () => {
  const metrics = { render: () => Promise.reject(new Error('hunter2')), stop() {} }
  const { client, lines } = await start({ metrics })
  const { text } = await client
    .get('/metrics')
    .expect(500)
    .expect('content-type', /problem/)
  expect(text).not.toContain('hunter2')
  expect(lines).toContainEqual(expect.objectContaining({ message: 'metrics not rendered', 'log.level': 'error' }))
})

test('a scraper that does not read its response cannot block the stop', async () => {
  // Larger than the buffers of both sockets.
  const text = 'x'.repeat(64 * 1024 ** 2)
  const metrics = { render: async () => ({ contentType: 'text/plain', text }), stop() {} }
  const { port, admin } = await start({ metrics })
  const scraper = connect(port, '127.0.0.1').on('error', () => undefined)
  scraper.write('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(scraper, 'readable')
  // This signal never aborts, so the test ends only when the admin port cuts the response by itself.
  await admin.stop(new AbortController().signal)
  scraper.destroy()
})

test('the port has a limit of 48 connections, and accepts 16 more while it closes idle connections', async () => {
  const { port, lines } = await start()
  const sockets = Array.from({ length: 49 }, () => connect(port, '127.0.0.1'))
  await until(() => lines.some(({ message }) => message === 'connection limit reached'))
  expect(lines.find(({ message }) => message === 'connection limit reached')).toMatchObject({
    'App.listener': 'admin',
    'App.connections.limit': 48,
  })
  for (const socket of sockets) socket.destroy()
})

test('a free port is used, even when another port may replace it', async () => {
  const free = await freePort()
  const { port, lines } = await start({ port: free, canMove: true })
  expect(port).toBe(free)
  expect(lines.map((line) => line['log.level'])).toEqual(['info'])
})

test('a free port replaces a taken port that may move, and the log has a warning', async () => {
  const taken = await takePort()
  const { port, lines, client } = await start({ port: taken, canMove: true })
  expect(port).not.toBe(taken)
  expect(lines[0]).toMatchObject({ 'log.level': 'warn', 'server.port': taken })
  await client.get('/metrics').expect(200)
})

test('a taken port that may not move fails the start, and the error names its setting', async () => {
  const taken = await takePort()
  await expect(start({ port: taken })).rejects.toThrow(
    `port ${taken} on 127.0.0.1 is taken: stop the other process, or set ADMIN_PORT`,
  )
})

test('with reusePort two listeners share a chosen port', async () => {
  const { port } = await start({ port: await freePort(), reusePort: true })
  expect((await start({ port, reusePort: true })).port).toBe(port)
})

async function freePort(): Promise<number> {
  const port = await takePort()
  await new Promise((resolve) => others.pop()!.close(resolve))
  return port
}
