import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { Registry } from 'prom-client'
import { createHttpMetrics, type HttpMetricsOptions } from './http.ts'
import { render } from './render.ts'
import { createSources } from './sources.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

/** Serves /things/:id with a handler, and measures it. */
async function serve(handler: RequestHandler, options: HttpMetricsOptions = {}) {
  const registry = new Registry()
  const sources = createSources()
  const metrics = createHttpMetrics(sources, options)
  const app: Express = express()
  const route = app.route('/things/:id')
  metrics.bind(route)
  route.all(handler)
  const server = createServer(metrics.measure(app)).listen(0)
  servers.push(server)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const scrape = async (accept?: string) => (await render({ sources, registry, accept })).text
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    scrape,
    /** Returns the number of requests by method, route and status. */
    async counts() {
      const lines = (await scrape()).matchAll(
        /_count\{http_request_method="(.*?)",http_route="(.*?)",http_response_status_code="(.*?)"\} (\d+)/g,
      )
      return Object.fromEntries(
        [...lines].map(([, method, path, status, count]) => [`${method} ${path} ${status}`, Number(count)]),
      )
    },
  }
}

const byId: RequestHandler = (req, res) => void res.status(Number(req.params['id'])).end()

test('under concurrent load, each request counts once, for its method, its route and its status', async () => {
  const { url, counts, scrape } = await serve(byId)
  const statuses = [200, 201, 404, 500]
  const requests = Array.from(
    { length: 400 },
    (_, index) => [index % 3 === 0 ? 'POST' : 'GET', statuses[index % 4]] as const,
  )
  const worker = async () => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
      const [method, status] = next
      await (await fetch(`${url}/things/${status}`, { method })).arrayBuffer()
    }
  }
  await Promise.all(Array.from({ length: 50 }, worker))
  const counted = await counts()
  expect(Object.keys(counted)).toHaveLength(8)
  expect(Object.values(counted).reduce((a, b) => a + b)).toBe(400)
  expect(counted['GET /things/:id 200']! + counted['POST /things/:id 200']!).toBe(100)
  expect(await scrape()).toContain('http_server_active_requests 0\n')
})

test('all unknown paths and methods share one series for each status', async () => {
  const { port, url, counts } = await serve(byId)
  for (let index = 0; index < 50; index++) await fetch(`${url}/nothing/${index}?q=${index}`)
  for (const method of ['PROPFIND', 'PURGE', 'MKCOL']) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`${method} /things/200 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    await text(socket)
  }
  expect(await counts()).toEqual({ 'GET  404': 50, '_OTHER /things/:id 200': 3 })
})

test('a request whose connection breaks before the response counts without a status', async () => {
  const { promise: started, resolve } = Promise.withResolvers<void>()
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const { port, counts, scrape } = await serve((_req, res) => {
    res.on('close', end)
    resolve()
  })
  const socket = connect(port, '127.0.0.1')
  socket.write('GET /things/1 HTTP/1.1\r\nhost: x\r\n\r\n')
  await started
  expect(await scrape()).toContain('http_server_active_requests 1\n')
  expect(await counts()).toEqual({})
  socket.destroy()
  await ended
  expect(await counts()).toEqual({ 'GET /things/:id ': 1 })
  expect(await scrape()).toContain('http_server_active_requests 0\n')
})

test('the duration lasts from the start of the handler to the end of the response', async () => {
  const { promise: started, resolve } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const { url, scrape } = await serve((_req, res) => {
    resolve()
    void released.then(() => res.end())
  })
  const response = fetch(`${url}/things/1`)
  await started
  const startedAt = performance.now()
  while (performance.now() - startedAt < 20) await new Promise(setImmediate)
  release()
  await (await response).arrayBuffer()
  const [, sum] = /_sum\{.*\} (\S+)/.exec(await scrape()) ?? []
  expect(Number(sum)).toBeGreaterThanOrEqual(0.02)
})

test('an exemplar identifies the request', async () => {
  const { url, scrape } = await serve(byId, {
    exemplar: ({ headers }) => ({ request_id: String(headers['x-request-id']) }),
  })
  await fetch(`${url}/things/200`, { headers: { 'x-request-id': 'r-1' } })
  expect(await scrape('application/openmetrics-text')).toMatch(
    /http_response_status_code="200"\} 1 # \{request_id="r-1"\} \d/,
  )
})

test('the buckets include the limit of the alert for P99, 800 ms', async () => {
  const { url, scrape } = await serve(byId)
  await fetch(`${url}/things/200`)
  const limits = [...(await scrape()).matchAll(/le="([^"]+)"/g)].map(([, limit]) => limit)
  const expected = '0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 0.8 1 2.5 5 7.5 10 +Inf'
  expect(limits).toEqual(expected.split(' '))
})
