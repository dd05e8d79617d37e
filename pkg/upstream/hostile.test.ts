import { once } from 'node:events'
import { Agent } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from '@jest/globals'
import * as z from 'zod'
import { exchange } from './exchange.ts'
import { createUpstream } from './upstream.ts'

/*
 * Instances that violate the protocol. They write raw bytes, because node:http would not send such responses.
 */
const open: { close(): unknown }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** Starts an instance that calls `respond` with each connection after its first bytes. */
async function hostile(respond: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => respond(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  const { port } = server.address() as AddressInfo
  return { ...(await clientOf(port)), sockets, server }
}

async function clientOf(port: number) {
  const upstream = createUpstream({
    name: 'payments',
    source: { type: 'static', origins: [originOf(port)] },
    maxBytes: 1_000,
    timeoutMs: 2_000,
  })
  await upstream.refresh()
  open.push({ close: () => upstream.stop() })
  return upstream
}

/**
 * Starts a server in a thread of its own, which works while this thread is blocked. `code` calls `ready` with the
 * listening server. The threads wait for each other at numbered points.
 */
function startThread(code: string) {
  const shared = new Int32Array(new SharedArrayBuffer(16))
  const prelude = `
    const { workerData: shared } = require('node:worker_threads')
    const wait = (point) => Atomics.wait(shared, point, 0)
    const reach = (point, value = 1) => { Atomics.store(shared, point, value); Atomics.notify(shared, point) }
    const ready = (server) => reach(0, server.address().port)`
  const worker = new Worker(`${prelude}\n${code}`, { eval: true, workerData: shared })
  open.push({ close: () => worker.terminate() })
  Atomics.wait(shared, 0, 0)
  return {
    port: Atomics.load(shared, 0),
    /** Blocks this thread until the other thread has reached the point. */
    wait: (point: number) => void Atomics.wait(shared, point, 0),
    reach(point: number) {
      Atomics.store(shared, point, 1)
      Atomics.notify(shared, point)
    },
    reset: (point: number) => void Atomics.store(shared, point, 0),
    /** Returns the value of a point that the other thread counts. */
    read: (point: number) => Atomics.load(shared, point),
  }
}

const originOf = (port: number) =>
  ({ protocol: 'http:', host: '127.0.0.1', port, authority: `127.0.0.1:${port}` }) as const

const SECRET = 'db.internal'
const schema = z.object({ id: z.string() })
const POST = { method: 'POST', path: '/payments', body: {}, schema }

const body = (text: string, head = HEAD) => `${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`

test.each([
  ['garbage instead of HTTP', `220 ${SECRET} ESMTP\r\n`],
  ['headers that are too large', `${HEAD}x-${SECRET}: ${'x'.repeat(64 * 1024)}\r\n\r\n`],
  ['a body that is larger than announced is allowed', `${HEAD}content-length: 1000000\r\n\r\n{`],
  ['an endless body', `${HEAD}transfer-encoding: chunked\r\n\r\n${`3e8\r\n${'x'.repeat(1_000)}\r\n`.repeat(3)}`],
  ['a broken chunk', `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`],
  ['two lengths', `${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\n{"a":1}`],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
  ['a redirect', `HTTP/1.1 302 Found\r\nlocation: http://${SECRET}/\r\ncontent-length: 0\r\n\r\n`],
  ['another media type', body(`<p>${SECRET}</p>`, 'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n')],
  ['no media type', body('{"id":"1"}', 'HTTP/1.1 200 OK\r\n')],
  ['a compressed body', body('{"id":"1"}', `${HEAD}content-encoding: gzip\r\n`)],
  ['invalid JSON', body(`{"id":${SECRET}`)],
  ['JSON of another schema', body(`{"id":{"host":"${SECRET}"}}`)],
  ['an empty 204', 'HTTP/1.1 204 No Content\r\n\r\n'],
])('%s is an invalid response without details', async (_name, bytes) => {
  const { json } = await hostile((socket) => socket.write(bytes))
  const error = await json(POST).catch((error: Error) => error)
  expect(error).toMatchObject({ name: 'CodedError', code: 'upstream_invalid_response' })
  expect((error as Error).message).toBe('upstream invalid response')
})

test.each([
  ['without a byte', (socket: Socket) => socket.end()],
  ['in the headers', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le')],
  ['in the body', (socket: Socket) => socket.end(`${HEAD}content-length: 10\r\n\r\n{"i`)],
  ['in a chunk', (socket: Socket) => socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"i`)],
  ['by a reset', (socket: Socket) => socket.resetAndDestroy()],
])('a connection that ends %s makes the upstream unavailable', async (_name, respond) => {
  const { json } = await hostile(respond)
  await expect(json(POST)).rejects.toMatchObject({ code: 'upstream_unavailable' })
})

test.each([
  ['slow headers', 'HTTP/1.1 200 OK\r\nx-'],
  ['a slow body', `${HEAD}content-length: 1000\r\n\r\n{`],
  ['endless interim responses', 'HTTP/1.1 100 Continue\r\n\r\n'],
])('%s end at the deadline, and the connection is closed', async (_name, piece) => {
  const closed = Promise.withResolvers<void>()
  const { json, report } = await hostile((socket) => {
    const timer = setInterval(() => socket.write(piece.startsWith('HTTP/1.1 100') ? piece : 'x'), 5)
    socket.write(piece)
    socket.once('close', () => {
      clearInterval(timer)
      closed.resolve()
    })
  })
  await expect(json({ ...POST, timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'upstream_timeout' })
  await closed.promise
  expect(report()).toMatchObject({ inProgress: 0, instances: [{ inFlight: 0 }] })
})

test('interim responses before the response are ignored', async () => {
  const { json } = await hostile((socket) => {
    socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')
    socket.write(body('{"id":"1"}'))
  })
  expect(await json(POST)).toEqual({ id: '1' })
})

test('a response to HEAD may announce a body that is larger than allowed', async () => {
  const { request } = await hostile((socket) => socket.write(`${HEAD}content-length: 1000000\r\n\r\n`))
  expect(await request({ method: 'HEAD', path: '/' })).toMatchObject({ status: 200 })
})

test('an instance that responds without reading the body of the request loses the connection', async () => {
  const connected = Promise.withResolvers<Socket>()
  const { request } = await hostile((socket) => {
    socket.pause()
    socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n')
    connected.resolve(socket)
  })
  expect(await request({ ...POST, body: 'x'.repeat(32 * 1024 * 1024) })).toMatchObject({ status: 413 })
  const socket = await connected.promise
  const closed = once(socket, 'close')
  socket.resume()
  await closed
})

test('a stall of this process neither refuses a connection nor misses a response that has arrived', async () => {
  const DONE = 1
  const { port, wait, reset } = startThread(
    `const server = require('node:http').createServer((request, response) => {
       response.end('late')
       response.once('finish', () => reach(${DONE}))
     }).listen(0, '127.0.0.1', () => ready(server))`,
  )
  const agent = new Agent({ keepAlive: true })
  open.push({ close: () => agent.destroy() })
  const common = { origin: originOf(port), agent, method: 'GET', path: '/', headers: {}, maxBytes: 1_000 }
  const stall = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  const connecting = exchange({ ...common, timeoutMs: 60_000, connectTimeoutMs: 10 })
  stall(20)
  expect((await connecting).body.toString()).toBe('late')
  // The response may arrive before the instance has noticed the end of its write.
  wait(DONE)
  reset(DONE)
  const late = exchange({ ...common, timeoutMs: 10 })
  // The request leaves this process before the stall, and before the event loop runs a timer.
  await new Promise<void>((resolve) => process.nextTick(resolve))
  wait(DONE)
  stall(20)
  expect((await late).body.toString()).toBe('late')
})

test('a stop closes every connection, and neither a retry nor a new call nor a probe opens another', async () => {
  let connections = 0
  const received = Promise.withResolvers<void>()
  const { request, stop, tick, sockets, server } = await hostile(() => received.resolve())
  server.on('connection', () => connections++)
  const call = request({ method: 'GET', path: '/' })
  await received.promise
  const closed = [...sockets].map((socket) => once(socket, 'close'))
  stop()
  await expect(call).rejects.toMatchObject({ code: 'upstream_unavailable' })
  await expect(request({ method: 'GET', path: '/' })).rejects.toMatchObject({ code: 'upstream_unavailable' })
  await tick()
  await Promise.all(closed)
  expect(connections).toBe(1)
})

test('a connection to an address that drops packets fails as refused', async () => {
  // The backlog of 1 is full and the instance accepts no connections, so the system ignores the next connection.
  const END = 1
  const { port, reach } = startThread(
    `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       ready(server)
       wait(${END})
       process.exit()
     })`,
  )
  for (let index = 0; index < 8; index++) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    open.push({ close: () => socket.destroy() })
  }
  const common = { origin: originOf(port), agent: new Agent(), method: 'POST', path: '/', headers: {}, maxBytes: 1_000 }
  const attempt = exchange({ ...common, timeoutMs: 10_000, connectTimeoutMs: 50 })
  await expect(attempt).rejects.toMatchObject({ kind: 'refused' })
  reach(END)
})

test.each([
  ['a POST', 'closed', 'destroy', undefined, 0],
  ['a POST', 'reset', 'resetAndDestroy', undefined, 0],
  ['a POST with a key', 'reset', 'resetAndDestroy', 'k-1', 1],
])('%s on an idle connection that the instance has %s is sent on a new connection', async (...given) => {
  const [, , end, idempotencyKey, retries] = given
  // The instance runs in a thread, so that it ends the connection while this thread cannot notice.
  const [END, DONE, SEEN] = [1, 2, 3] as const
  const thread = startThread(
    `let connections = 0
     const server = require('node:net').createServer((socket) => {
       const isFirst = ++connections === 1
       socket.on('data', () => {
         Atomics.add(shared, ${SEEN}, 1)
         socket.write('HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: 10\\r\\n\\r\\n{"id":"1"}')
         if (!isFirst) return
         wait(${END})
         socket.${end}()
         setImmediate(() => reach(${DONE}))
       })
     }).listen(0, '127.0.0.1', () => ready(server))`,
  )
  const { json, report } = await clientOf(thread.port)
  expect(await json(POST)).toEqual({ id: '1' })
  expect(report().instances[0]).toMatchObject({ idleConnections: 1 })
  thread.reach(END)
  thread.wait(DONE)
  expect(await json({ ...POST, idempotencyKey })).toEqual({ id: '1' })
  expect(thread.read(SEEN)).toBe(2)
  // The retry took nothing from the budget.
  expect(report()).toMatchObject({ retries, retriesLeft: 10 })
})
