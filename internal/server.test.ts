import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { createServer, type HttpServer } from './server.ts'

let current: HttpServer | undefined
let clientErrors: unknown[] = []
afterEach(() => {
  current?.server.closeAllConnections()
  current?.server.close()
})

const LIMITS = {
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 60_000,
  socketTimeoutMs: 60_000,
  ownsSocket: true,
}

/** Responds at once, as the probes of the service do. */
function probe({ url }: IncomingMessage, response: ServerResponse): boolean {
  if (url !== '/probe') return false
  response.end()
  return true
}

/** Opens a connection to a server with this handler. */
async function open(handler?: RequestListener): Promise<Socket> {
  clientErrors = []
  current = createServer({ ...LIMITS, probe, onClientError: (event) => clientErrors.push(event) })
  if (handler) current.handle(handler)
  current.server.listen(0, '127.0.0.1')
  await once(current.server, 'listening')
  return connect((current.server.address() as AddressInfo).port, '127.0.0.1')
}

const get = (path: string, headers = 'host: x') => `GET ${path} HTTP/1.1\r\n${headers}\r\n\r\n`

const statuses = (received: string) => [...received.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status))

test('a request behind a response that closes the connection is not executed', async () => {
  const executed: unknown[] = []
  const socket = await open((req, res) => {
    executed.push(req.url)
    res.end()
  })
  socket.write(get('/first') + get('/a/../b') + get('/never'))
  expect(statuses(await text(socket))).toEqual([200, 400])
  expect(executed).toEqual(['/first'])
})

test.each([
  ['an invalid target', get('/a/../b'), 400],
  ['an expectation', get('/', 'host: x\r\nexpect: the-best'), 417],
])('a request behind the rejection of %s is not executed', async (_name, rejected, status) => {
  let executed = 0
  const socket = await open((_req, res) => {
    executed++
    res.end()
  })
  socket.write(rejected + get('/never'))
  expect(statuses(await text(socket))).toEqual([status])
  expect(executed).toBe(0)
})

test('a request behind a probe on a connection that drains is not executed', async () => {
  let executed = 0
  const socket = await open((_req, res) => {
    executed++
    res.end()
  })
  current!.drain.begin()
  socket.write(get('/probe') + get('/never'))
  expect(statuses(await text(socket))).toEqual([200])
  expect(executed).toBe(0)
})

test('a client that asks for the end of the connection gets one response, even when more bytes follow', async () => {
  const socket = await open((_req, res) => void res.end())
  socket.write(get('/probe', 'host: x\r\nconnection: close') + get('/never'))
  expect(statuses(await text(socket))).toEqual([200])
})

test('pipelined requests are executed one after the other, and responses keep their order', async () => {
  let inProgress = 0
  let most = 0
  const socket = await open((req, res) => {
    most = Math.max(most, ++inProgress)
    setImmediate(() => {
      inProgress--
      res.end(req.url)
    })
  })
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`)
  socket.write(paths.map((path) => get(path)).join('') + get('/last', 'host: x\r\nconnection: close'))
  const received = await text(socket)
  expect(received.match(/^\/\w+/gm)?.map((path) => path.replace('HTTP', ''))).toEqual([...paths, '/last'])
  expect(most).toBe(1)
})

test('a connection that pipelines without end is destroyed', async () => {
  let executed = 0
  const socket = await open(() => void executed++)
  socket.on('error', () => {})
  socket.write(get('/').repeat(1_000))
  await once(socket, 'close')
  expect(executed).toBe(1)
})

test('malformed bytes behind a POST in progress do not replace its response', async () => {
  const arrived = Promise.withResolvers<() => void>()
  const socket = await open((_req, res) => arrived.resolve(() => res.end('done')))
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx')
  const respond = await arrived.promise
  const rejected = once(current!.server, 'clientError')
  socket.write('GARBAGE\r\n\r\n')
  await rejected
  respond()
  const received = await text(socket)
  expect(statuses(received)).toEqual([200])
  expect(received).toMatch(/connection: close/i)
  expect(received).toMatch(/done$/)
})

const CHUNKED = 'POST /post HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n'

test.each([
  ['a malformed body', `${CHUNKED}ZZ\r\n`, [200, 400]],
  ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', [200, 501]],
  ['an unknown method', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', [200]],
])('the response of a request comes before the rejection of %s behind it', async (_name, bytes, expected) => {
  const executed: unknown[] = []
  const arrived = Promise.withResolvers<() => void>()
  const socket = await open((req, res) => {
    executed.push(req.url)
    arrived.resolve(() => res.end('done'))
  })
  socket.write(get('/first') + bytes)
  const respond = await arrived.promise
  const received = text(socket)
  respond()
  expect(statuses(await received)).toEqual(expected)
  expect(await received).toContain('done')
  expect(executed).toEqual(['/first'])
})

test('malformed bytes are rejected once, even when more bytes follow', async () => {
  const arrived = Promise.withResolvers<() => void>()
  const socket = await open((_req, res) => arrived.resolve(() => res.end('done')))
  socket.write(get('/first') + CHUNKED)
  const respond = await arrived.promise
  for (let time = 0; time < 3; time++) {
    const rejected = once(current!.server, 'clientError')
    socket.write('ZZ\r\n')
    await rejected
  }
  respond()
  expect(statuses(await text(socket))).toEqual([200, 400])
  expect(clientErrors).toHaveLength(1)
})

test.each([
  ['two hosts', get('/', 'host: x\r\nhost: y'), 400, 'INVALID_HOST'],
  ['an invalid host', get('/', 'host: x/y'), 400, 'INVALID_HOST'],
  ['no host', get('/', 'accept: */*'), 400, 'INVALID_HOST'],
  ['dot segments', get('/x/%2e%2e/y'), 400, 'INVALID_TARGET'],
  ['dot segments in the absolute form', get('http://a/x/%2e%2e/y'), 400, 'INVALID_TARGET'],
  ['an expectation other than 100-continue', get('/', 'host: x\r\nexpect: the-best'), 417, 'INVALID_EXPECTATION'],
])('a request with %s gets a problem document, and is reported', async (_name, bytes, status, code) => {
  const socket = await open((_req, res) => void res.end())
  socket.write(bytes)
  const received = await text(socket)
  expect(statuses(received)).toEqual([status])
  expect(received).toMatch(/^content-type: application\/problem\+json/m)
  expect(received).toMatch(/^date: /im)
  const id = /^x-request-id: (\S+)/im.exec(received)?.[1]
  expect(clientErrors).toEqual([{ code, status, requestId: id, clientAddress: '127.0.0.1' }])
})

test('after a failed start, the server refuses the waiting requests and closes', async () => {
  const socket = await open()
  const { server, abandon } = current!
  const arrived = once(server, 'request')
  socket.write(get('/early'))
  await arrived
  const closed = abandon(new AbortController().signal)
  const received = await text(socket)
  expect(statuses(received)).toEqual([503])
  expect(received).toMatch(/^retry-after: 1$/m)
  expect(received).toContain('"code":"overloaded"')
  await closed
  expect(server.listening).toBe(false)
})
