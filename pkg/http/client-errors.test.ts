import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { answerClientErrors } from './client-errors.ts'

let server: Server
let current: ServerResponse | undefined
const events: unknown[] = []

beforeAll(async () => {
  server = createServer({ connectionsCheckingInterval: 20, maxHeaderSize: 2_000 }, (req, res) => {
    current = res
    if (req.url === '/half') res.write('half')
    else if (req.url !== '/never') res.end('ok')
  })
  answerClientErrors({ server, responseOn: () => current, onEvent: (event) => events.push(event) })
  server.listen(0)
  await once(server, 'listening')
})
afterAll(() => {
  server.close()
})

async function send(bytes: string): Promise<string> {
  current = undefined
  const socket = connect((server.address() as AddressInfo).port)
  socket.write(bytes)
  return text(socket)
}

test.each([
  ['bytes that are not HTTP', 'GARBAGE\r\n\r\n', 400, 'bad_request'],
  ['a header without a colon', 'GET / HTTP/1.1\r\nhost x\r\n\r\n', 400, 'bad_request'],
  [
    'two different lengths',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    400,
    'bad_request',
  ],
  [
    'a length and chunks',
    'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    400,
    'bad_request',
  ],
  [
    'headers that are too large',
    `GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(3_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['headers that do not end', 'GET / HTTP/1.1\r\nhost:', 408, 'request_timeout'],
  [
    'a body that does not arrive',
    'POST /never HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n',
    408,
    'request_timeout',
  ],
])('%s', async (_name, bytes, status, code) => {
  events.length = 0
  // Only the tests of timeouts use a short timeout, because a busy machine may delay the other requests.
  const timeoutMs = status === 408 ? 100 : 60_000
  server.requestTimeout = timeoutMs
  server.headersTimeout = timeoutMs
  const response = await send(bytes)
  server.requestTimeout = 60_000
  server.headersTimeout = 60_000
  const [head = '', body = ''] = response.split('\r\n\r\n')
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(head).toMatch(/^content-type: application\/problem\+json/m)
  expect(head).toMatch(/^connection: close$/m)
  expect(Number(/^content-length: (\d+)/m.exec(head)?.[1])).toBe(body.length)
  const id = /^x-request-id: (.*)$/m.exec(head)?.[1]
  expect(JSON.parse(body)).toMatchObject({ status, code, requestId: id })
  expect(events).toEqual([expect.objectContaining({ status, requestId: id })])
})

test('a connection without a request gets no response, because a late request would receive it', async () => {
  events.length = 0
  server.headersTimeout = 100
  const received = await send('')
  server.headersTimeout = 60_000
  expect(received).toBe('')
  expect(events).toEqual([])
})

test('a client that keeps its end open is disconnected', async () => {
  current = undefined
  const socket = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true })
  const accepted = once(server, 'connection')
  socket.write('GARBAGE\r\n\r\n')
  const [serverSide] = await accepted
  if (!serverSide.destroyed) await once(serverSide, 'close')
  socket.destroy()
})

test('the response of a complete request is sent before malformed bytes behind it close the connection', async () => {
  current = undefined
  events.length = 0
  const socket = connect((server.address() as AddressInfo).port)
  socket.write('GET /half HTTP/1.1\r\nhost: x\r\n\r\n')
  const [begun] = await once(socket, 'data')
  expect(String(begun)).toMatch(/^HTTP\/1\.1 200/)
  const rejected = once(server, 'clientError')
  socket.write('GARBAGE\r\n\r\n')
  await rejected
  const rest = text(socket)
  current!.end('half')
  expect(await rest).toMatch(/half\r\n0\r\n\r\n$/)
  expect(events).toEqual([])
})

test.each([
  ['an unknown method', 'BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n'],
  ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n'],
])('%s is not implemented', async (_name, bytes) => {
  const response = await send(bytes)
  expect(response).toMatch(/^HTTP\/1\.1 501 /)
  expect(response).toContain('"code":"not_implemented"')
})

describe('a connection with CONNECT behind a request in progress', () => {
  async function open() {
    current = undefined
    const client = connect((server.address() as AddressInfo).port)
    const accepted = once(server, 'connection')
    const rejected = once(server, 'connect')
    client.write('GET /never HTTP/1.1\r\nhost: x\r\n\r\nCONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n')
    const [socket]: [Socket] = (await accepted) as never
    await rejected
    return { client, socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
  }

  test('does not end the process when the client resets it', async () => {
    const { client, closed } = await open()
    client.resetAndDestroy()
    await closed
  })

  test('is closed at the timeout of the socket', async () => {
    const { client, socket, closed } = await open()
    socket.setTimeout(20)
    await closed
    client.destroy()
  })
})

test('a response has a date', async () => {
  const date = /^date: (.*)$/m.exec(await send('GARBAGE\r\n\r\n'))?.[1]
  expect(Number.isNaN(Date.parse(String(date)))).toBe(false)
})
