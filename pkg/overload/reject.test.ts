import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { sendOverloaded } from './reject.ts'

let server: Server
let connections: number
let agent: Agent
beforeEach(async () => {
  connections = 0
  agent = new Agent({ keepAlive: true, maxSockets: 1 })
  server = createServer((request, response) => sendOverloaded(request, response, 'id-1', 3))
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  agent.destroy()
  server.closeAllConnections()
  server.close()
})

async function post(body: string, headers: Record<string, string | number> = { 'content-length': body.length }) {
  const { port } = server.address() as AddressInfo
  const sent = request({ port, host: '127.0.0.1', method: 'POST', agent, headers })
  sent.on('error', () => {})
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

test('a refusal is a problem document with the id of the request and retry-after', async () => {
  const { status, headers, body } = await post('')
  expect(status).toBe(503)
  expect(headers).toMatchObject({
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    'retry-after': '3',
    'x-request-id': 'id-1',
  })
  expect(JSON.parse(body)).toEqual({
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: expect.stringContaining('overloaded'),
    code: 'overloaded',
    requestId: 'id-1',
  })
})

test('the connection stays open, and the body of the refused request is not mistaken for the next request', async () => {
  for (let count = 0; count < 3; count++) expect((await post('GET / HTTP/1.1\r\n\r\n')).status).toBe(503)
  expect(connections).toBe(1)
})

test('a body that is large or of unknown size is not read, and the connection closes', async () => {
  expect((await post('x', { 'transfer-encoding': 'chunked' })).headers.connection).toBe('close')
  expect((await post('x', { 'content-length': 1024 * 1024 })).headers.connection).toBe('close')
})
