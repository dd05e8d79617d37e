import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { parseObject } from './json.ts'
import { createRegistryClient } from './registry-client.ts'

const open: { close(): unknown }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

/** Starts a server and returns a client with a limit of 100 bytes, and a promise of the first closed connection. */
async function serve(respond: (req: IncomingMessage, res: ServerResponse) => unknown, timeoutMs?: number) {
  const closed = Promise.withResolvers<void>()
  const server = createServer(respond).listen(0, '127.0.0.1')
  server.on('connection', (socket) => socket.once('close', () => closed.resolve()))
  await once(server, 'listening')
  open.push({
    close() {
      server.close()
      server.closeAllConnections()
    },
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createRegistryClient({ origin, maxBytes: 100, ...(timeoutMs !== undefined && { timeoutMs }) })
  return { ...client, closed: closed.promise }
}

test('a request carries its query, headers and JSON body, and the response is returned whatever its status', async () => {
  const { request } = await serve(async (req, res) => {
    const { method, url, headers } = req
    const sent = { method, url, type: headers['content-type'], token: headers['x-token'], body: await text(req) }
    res.writeHead(404, { 'x-index': '7' }).end(JSON.stringify(sent))
  })
  const response = await request({
    method: 'PUT',
    path: '/v1/a%2Fb',
    query: { wait: '5s', index: 0, tag: undefined },
    headers: { 'x-token': 't' },
    body: {},
  })
  expect(response.status).toBe(404)
  expect(response.headers.get('x-index')).toBe('7')
  expect(JSON.parse(response.body)).toEqual({
    method: 'PUT',
    url: '/v1/a%2Fb?wait=5s&index=0',
    type: 'application/json',
    token: 't',
    body: '{}',
  })
})

test('a form is sent as a form', async () => {
  const { request } = await serve(async (req, res) => res.end(`${req.headers['content-type']} ${await text(req)}`))
  const { body } = await request({ method: 'POST', path: '/', body: new URLSearchParams({ a: 'b c' }) })
  expect(body).toBe('application/x-www-form-urlencoded;charset=UTF-8 a=b+c')
})

test('a body larger than the limit ends the exchange and closes the connection', async () => {
  const { request, closed } = await serve((_req, res) => {
    res.write('x'.repeat(101))
  })
  await expect(request({ method: 'GET', path: '/' })).rejects.toThrow('response of more than 100 bytes')
  await closed
})

test.each([
  ['before the response', () => undefined],
  ['in the body', (_req: IncomingMessage, res: ServerResponse) => void res.write('{')],
])('a server that hangs %s ends in a timeout and closes the connection', async (_name, respond) => {
  const { request, closed } = await serve(respond, 50)
  await expect(request({ method: 'GET', path: '/' })).rejects.toMatchObject({ name: 'TimeoutError' })
  await closed
})

test('the signal of the caller ends the exchange with its reason', async () => {
  const caller = new AbortController()
  const { request } = await serve(() => caller.abort(new Error('stopped')))
  await expect(request({ method: 'GET', path: '/', signal: caller.signal })).rejects.toThrow('stopped')
  await expect(request({ method: 'GET', path: '/', signal: caller.signal })).rejects.toThrow('stopped')
})

test('a refused connection is an error with its code', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const { request } = createRegistryClient({ origin: `http://127.0.0.1:${port}` })
  await expect(request({ method: 'GET', path: '/' })).rejects.toMatchObject({
    message: `no response: connect ECONNREFUSED 127.0.0.1:${port}`,
    code: 'ECONNREFUSED',
  })
})

test('a redirect is not followed', async () => {
  let requests = 0
  const { request } = await serve((_req, res) => {
    requests++
    res.writeHead(302, { location: '/other' }).end()
  })
  await expect(request({ method: 'GET', path: '/' })).rejects.toThrow()
  expect(requests).toBe(1)
})

test('a JSON object is parsed, and the error for any other body does not quote the body', () => {
  expect(parseObject('{"a":1}')).toEqual({ a: 1 })
  for (const body of ['s3cret', '', '[]', 'null', '"s3cret"']) {
    expect(() => parseObject(body)).toThrow(/^response is (not JSON|not a JSON object)$/)
  }
})
