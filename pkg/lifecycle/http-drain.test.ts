import { execFileSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { Agent, createServer, get, type RequestListener, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, expect, jest, test } from '@jest/globals'
import { createHttpDrain } from './http-drain.ts'

const SEARCH_INTERVAL_MS = 10

const agents: Agent[] = []
afterEach(() => {
  jest.restoreAllMocks()
  for (const agent of agents.splice(0)) agent.destroy()
})

async function serve(listener: RequestListener, headersTimeout = 60_000) {
  const server = createServer(
    { keepAliveTimeout: 60_000, headersTimeout, requestTimeout: 60_000, connectionsCheckingInterval: 20 },
    (req, res) => {
      drain.track(req, res, listener)
    },
  )
  const drain = createHttpDrain({ server, searchIntervalMs: SEARCH_INTERVAL_MS })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { drain, server, port: (server.address() as AddressInfo).port }
}

function keepAliveAgent(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return agent
}

async function ask(port: number, agent: Agent) {
  const [response] = await once(get({ port, host: '127.0.0.1', agent }), 'response')
  return { connection: response.headers.connection, body: await text(response) }
}

async function rawConnection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** After the end of accepting, every connection is new until the test calls `age`. */
function controlAge(server: Server) {
  const uptime = process.uptime.bind(process)
  const searches = new EventEmitter()
  let now = 0
  jest.spyOn(process, 'uptime').mockImplementation(() => {
    if (server.listening) return uptime()
    searches.emit('search')
    return now
  })
  return {
    /** Resolves at the next search for idle connections. */
    nextSearch: () => once(searches, 'search'),
    age() {
      now = Number.POSITIVE_INFINITY
    },
  }
}

const never = new AbortController().signal

test('connections stay open before the drain, and every response closes its connection afterwards', async () => {
  const { drain, port } = await serve((_req, res) => res.end('ok'))
  const agent = keepAliveAgent()
  expect(await ask(port, agent)).toEqual({ connection: 'keep-alive', body: 'ok' })
  drain.begin()
  expect(await ask(port, agent)).toEqual({ connection: 'close', body: 'ok' })
  expect(await ask(port, agent)).toEqual({ connection: 'close', body: 'ok' })
  await drain.close(never)
})

test('a request in flight at the start of the drain gets a response with Connection: close', async () => {
  const arrived = Promise.withResolvers<ServerResponse>()
  const { drain, port } = await serve((_req, res) => arrived.resolve(res))
  const late = ask(port, keepAliveAgent())
  const response = await arrived.promise
  drain.begin()
  const closed = drain.close(never)
  response.end('late')
  expect(await late).toEqual({ connection: 'close', body: 'late' })
  await closed
})

test('a request that is pipelined behind a closing response is not handled', async () => {
  const handled: unknown[] = []
  const { drain, port } = await serve((req, res) => {
    handled.push(req.url)
    setImmediate(() => res.end('ok'))
  })
  drain.begin()
  const socket = await rawConnection(port)
  socket.write(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''))
  const response = await text(socket)
  expect(response.match(/HTTP\/1\.1 200/g)).toHaveLength(1)
  expect(handled).toEqual(['/1'])
  await drain.close(never)
})

test('reading pauses for a turn when 1,000 pipelined requests wait, even after connections were aborted', async () => {
  const { server, port } = await serve(() => {})
  const pipeline = async (requests: number) => {
    const accepted = once(server, 'connection')
    const socket = await rawConnection(port)
    socket.on('error', () => {})
    const [serverSide] = await accepted
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(requests))
    // The server parses all these requests in one turn.
    await once(server, 'request')
    return { socket, serverSide: serverSide as Socket }
  }
  for (let time = 0; time < 10; time++) {
    const { socket, serverSide } = await pipeline(2)
    const closed = once(serverSide, 'close')
    socket.destroy()
    await closed
  }
  const idle = await pipeline(1)
  for (let time = 0; time < 20; time++) await pipeline(51)
  expect(idle.serverSide.isPaused()).toBe(false)
  const resumed = once(idle.serverSide, 'resume')
  const paused = once(idle.serverSide, 'pause')
  await pipeline(2)
  await paused
  await resumed
  server.close()
  server.closeAllConnections()
})

test('close waits for a half-sent POST and responds to it', async () => {
  const arrived = Promise.withResolvers<void>()
  const { drain, port } = await serve(async (req, res) => {
    arrived.resolve()
    res.end(await text(req))
  })
  const post = request({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': 10 } })
  post.write('first')
  await arrived.promise
  drain.begin()
  const closed = drain.close(never)
  post.end('-last')
  const [response] = await once(post, 'response')
  expect(await text(response)).toBe('first-last')
  await closed
})

test('requests that are in the network when accepting ends get responses', async () => {
  const { drain, port } = await serve((_req, res) => res.end('ok'))
  drain.begin()
  const sockets = await Promise.all(Array.from({ length: 50 }, () => rawConnection(port)))
  const responses = sockets.map((socket) => text(socket))
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await drain.close(never)
  for (const response of await Promise.all(responses)) expect(response).toMatch(/^HTTP\/1\.1 200 OK/)
})

test('a client that connects just before accepting ends may send its first request later', async () => {
  const { drain, server, port } = await serve((_req, res) => res.end('ok'))
  const { nextSearch } = controlAge(server)
  const accepted = once(server, 'connection')
  const slow = await rawConnection(port)
  await accepted
  drain.begin()
  const closed = drain.close(never)
  const response = text(slow)
  for (let searches = 0; searches < 3; searches++) await nextSearch()
  slow.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  expect(await response).toMatch(/^HTTP\/1\.1 200 OK/)
  await closed
})

test('clients that open a connection for each request get a response or are refused, and are never reset', async () => {
  const { drain, port } = await serve((_req, res) => res.end('ok'))
  const errors: unknown[] = []
  let over = false
  const client = async () => {
    while (!over) {
      try {
        const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
        await text(response)
      } catch (error) {
        errors.push((error as NodeJS.ErrnoException).code)
        over = true
      }
    }
  }
  const clients = Array.from({ length: 100 }, client)
  drain.begin()
  await drain.close(never)
  await Promise.all(clients)
  expect(new Set(errors)).toEqual(new Set(['ECONNREFUSED']))
})

test('used and unused idle connections do not delay the close', async () => {
  const { drain, port } = await serve((_req, res) => res.end('ok'))
  const unused = await rawConnection(port)
  const agent = keepAliveAgent()
  await ask(port, agent)
  await drain.close(never)
  if (!unused.closed) await once(unused.resume(), 'close')
})

test('a request that arrives while the process is busy gets its response before idle connections are closed', async () => {
  const { drain, server, port } = await serve((_req, res) => res.end('ok'))
  const { nextSearch, age } = controlAge(server)
  const used = await rawConnection(port)
  used.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(used, 'data')
  // While the first request of this connection is awaited, no connection is closed.
  const accepted = once(server, 'connection')
  const unused = await rawConnection(port)
  await accepted
  drain.begin()
  const closed = drain.close(never)
  let searchedAt: number
  do {
    await nextSearch()
    searchedAt = performance.now()
    await nextTurn()
    // Repeat when the next search has begun already.
  } while (performance.now() - searchedAt > SEARCH_INTERVAL_MS / 2)
  age()
  const response = text(used)
  used.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  // The process is busy with another program until the next search is due.
  while (performance.now() - searchedAt < 2 * SEARCH_INTERVAL_MS) execFileSync(process.execPath, ['-e', ''])
  expect(await response).toMatch(/^HTTP\/1\.1 200 OK/)
  if (!unused.closed) await once(unused.resume(), 'close')
  await closed
})

test('the header timeout still applies to slow clients during the close', async () => {
  const { drain, server, port } = await serve((_req, res) => res.end('ok'), 100)
  const accepted = once(server, 'connection')
  const slow = await rawConnection(port)
  slow.write('GET / HTTP/1.1\r\nhost:')
  const response = text(slow)
  const [serverSide] = await accepted
  // Unread bytes would turn the end of the connection into a reset.
  while (serverSide.bytesRead === 0) await nextTurn()
  await drain.close(never)
  expect(await response).toMatch(/^HTTP\/1\.1 408/)
})

test.each([
  ['a response', 1],
  ['the first of two pipelined responses', 2],
])('a client that is still reading %s gets the rest of it', async (_title, count) => {
  // Larger than the buffers of both sockets.
  const body = Buffer.alloc(64 * 1024 ** 2)
  const { drain, server, port } = await serve((_req, res) => res.end(body))
  const socket = await rawConnection(port)
  const request = 'GET / HTTP/1.1\r\nhost: a\r\n'
  socket.write(`${`${request}\r\n`.repeat(count - 1)}${request}connection: close\r\n\r\n`)
  await once(socket, 'readable')
  const control = controlAge(server)
  const closed = drain.close(never)
  await control.nextSearch()
  control.age()
  await control.nextSearch()
  // When the connection is closed too early, no further search follows.
  await Promise.race([control.nextSearch(), closed])
  expect((await buffer(socket)).byteLength).toBeGreaterThan(count * body.byteLength)
  await closed
})

test('an abort cuts the remaining connections', async () => {
  const arrived = Promise.withResolvers<void>()
  const { drain, port } = await serve(() => arrived.resolve())
  const stuck = get({ port, host: '127.0.0.1', agent: keepAliveAgent() })
  await arrived.promise
  const deadline = new AbortController()
  const closed = drain.close(deadline.signal)
  const failed = once(stuck, 'error')
  deadline.abort()
  await closed
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' })
})

test('close resolves immediately for a server that never listened', async () => {
  const drain = createHttpDrain({ server: createServer() })
  await drain.close(never)
})
