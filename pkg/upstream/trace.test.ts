import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import { createUpstream } from './upstream.ts'

interface Recorded {
  readonly name: string
  readonly attributes: Record<string, string | number>
  error?: string
}

test('each attempt has its own client span, and sends the headers of that span', async () => {
  const parents: unknown[] = []
  const server = createServer((req, res) => {
    parents.push(req.headers['traceparent'])
    if (parents.length === 1) res.writeHead(503).end()
    else res.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const spans: Recorded[] = []
  let current = 'request'
  const { request, refresh, stop } = createUpstream({
    name: 'payments',
    source: { type: 'static', origins: [{ protocol: 'http:', host: '127.0.0.1', port, authority: 'payments' }] },
    random: () => 0,
    context: () => ({ traceHeaders: { traceparent: current } }),
    async trace(name, attributes, work) {
      const span: Recorded = { name, attributes: { ...attributes } }
      spans.push(span)
      current = `span ${spans.length}`
      const setAttribute = (name: string, value: string | number) =>
        void Object.assign(span.attributes, { [name]: value })
      try {
        return await work({ setAttribute })
      } catch (error) {
        span.error = (error as { code: string }).code
        throw error
      }
    },
  })
  await refresh()
  expect((await request({ method: 'GET', path: '/payments/1?secret=x' })).status).toBe(200)
  stop()
  server.close()
  const attributes = {
    'http.request.method': 'GET',
    'server.address': '127.0.0.1',
    'server.port': port,
    'url.full': `http://127.0.0.1:${port}/payments/1`,
  }
  expect(spans).toEqual([
    { name: 'GET payments', attributes: { ...attributes, 'http.response.status_code': 503 }, error: '503' },
    {
      name: 'GET payments',
      attributes: { ...attributes, 'http.response.status_code': 200, 'http.request.resend_count': 1 },
    },
  ])
  expect(parents).toEqual(['span 1', 'span 2'])
})
