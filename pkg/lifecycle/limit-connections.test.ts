import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { createHttpDrain } from './http-drain.ts'
import { type ConnectionLimitEvent, limitConnections } from './limit-connections.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

const GET = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'

/** A server for 20 connections. From the fifth on, a new connection closes idle connections. */
async function serve(listener: RequestListener = (_req, res) => res.end('ok')) {
  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    drain.track(req, res, () => {
      listener(req, res)
    })
  })
  const drain = createHttpDrain({ server })
  const events: ConnectionLimitEvent[] = []
  limitConnections({
    server,
    closeIdle: drain.closeIdle,
    openFiles: 40,
    reservedFiles: 20,
    onEvent: (event) => events.push(event),
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  async function open(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    ends.push(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { server, events, open }
}

async function ask(socket: Socket): Promise<string> {
  const closed = new AbortController()
  socket.once('close', () => closed.abort())
  const response = once(socket, 'data', { signal: closed.signal })
  socket.write(GET)
  return String((await response)[0])
}

test('a new connection replaces an idle connection, and a recently used connection stays', async () => {
  const { events, open } = await serve()
  const used = await open()
  used.setMaxListeners(100)
  let closed = 0
  for (let idle = 0; idle < 60; idle++) {
    const socket = await open()
    socket.resume().once('close', () => closed++)
    expect(await ask(used)).toMatch(/^HTTP\/1\.1 200/)
  }
  const late = await open()
  expect(await ask(late)).toMatch(/^HTTP\/1\.1 200/)
  expect(closed).toBeGreaterThan(60 - 20)
  expect(events).toEqual([{ type: 'connection limit reached', limit: 4 }])
})

test('a connection with a request in progress is not closed: when all are busy, new connections are refused', async () => {
  const responses: ServerResponse[] = []
  const { server, events, open } = await serve((_req, res) => responses.push(res))
  const busy: Socket[] = []
  while (busy.length < 20) {
    const socket = await open()
    const arrived = once(server, 'request')
    socket.write(GET)
    await arrived
    busy.push(socket)
  }
  const refused = await open()
  await once(refused.resume(), 'close')
  const received = busy.map((socket) => once(socket, 'data'))
  for (const response of responses) response.end('ok')
  for (const [response] of await Promise.all(received)) expect(String(response)).toMatch(/^HTTP\/1\.1 200/)
  expect(events).toEqual([{ type: 'connection limit reached', limit: 4 }])
  const closed = busy.map((socket) => once(socket, 'close'))
  for (const socket of busy) socket.destroy()
  await Promise.all(closed)
  while (events.length < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(events[1]).toEqual({ type: 'connection limit left', closed: 0, refused: 1 })
})

test('without a limit of open files there is no limit of connections', () => {
  const server = createServer()
  limitConnections({
    server,
    closeIdle: () => 0,
    reservedFiles: 20,
    openFiles: Number.POSITIVE_INFINITY,
    onEvent: () => {},
  })
  expect(server.maxConnections).toBe(createServer().maxConnections)
})
