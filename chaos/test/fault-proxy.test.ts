import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { findOnPath } from '../../scripts/services/path.ts'
import { freePort, launch, until } from '../../scripts/services/service.ts'
import { createFaultClient, type NewToxic } from '../../test/support/fault-proxy/client.ts'
import { startFaultProxy } from '../../test/support/fault-proxy/start.ts'
import { buildGoProgram } from '../../test/support/install.ts'
import { listen } from '../../test/support/listen.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

/*
 * The fault proxy of the tests and the real Toxiproxy pass the same tests.
 */

async function startToxiproxy() {
  const command =
    findOnPath('toxiproxy-server') ??
    (await buildGoProgram(join(import.meta.dirname, 'toxiproxy'), 'github.com/Shopify/toxiproxy/v2/cmd/server'))
  const port = await freePort()
  const running = await launch({
    command,
    args: ['-host', '127.0.0.1', '-port', String(port)],
    readyPattern: /Starting Toxiproxy/,
    logFile: join(temporaryDirectory('toxiproxy'), 'toxiproxy.log'),
    stopSignal: 'SIGTERM',
  })
  const url = `http://127.0.0.1:${port}`
  // Toxiproxy writes its line before it listens.
  await until(async () => {
    const response = await fetch(url).catch(() => undefined)
    return response !== undefined
  }, 60_000)
  return { url, stop: running.stop }
}

/** Sends every byte back, and ends when its client has ended. */
const echoServer = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined)
  socket.pipe(socket)
})
let echo: Awaited<ReturnType<typeof listen>>

beforeAll(async () => {
  echo = await listen(echoServer)
})
afterAll(() => echo.stop())

describe.each([
  { name: 'the fault proxy of the tests', start: startFaultProxy },
  { name: 'Toxiproxy', start: startToxiproxy },
])('$name', ({ start }) => {
  let server: Awaited<ReturnType<typeof start>>
  let faults: ReturnType<typeof createFaultClient>
  let port: number
  const sockets: Socket[] = []

  beforeAll(async () => {
    server = await start()
    faults = createFaultClient(server.url)
    // The first run builds Toxiproxy.
  }, 300_000)
  afterAll(() => server.stop())
  beforeEach(async () => {
    const listen = await faults.add('echo', `127.0.0.1:${echo.port}`)
    port = Number(listen.split(':')[1])
  })
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await faults.call('DELETE', '/proxies/echo')
  })

  async function open(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  /** Sends bytes and waits until as many have come back. Resolves with the elapsed milliseconds. */
  async function roundTrip(socket: Socket, bytes: Buffer): Promise<number> {
    const startedAt = performance.now()
    const received: Buffer[] = []
    let size = 0
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const read = (chunk: Buffer) => {
      received.push(chunk)
      size += chunk.length
      if (size >= bytes.length) resolve()
    }
    socket.on('data', read)
    socket.once('close', () => reject(new Error('closed')))
    socket.write(bytes)
    await promise
    socket.off('data', read)
    expect(Buffer.concat(received)).toEqual(bytes)
    return performance.now() - startedAt
  }

  const bytes = Buffer.from(Array.from({ length: 3_000 }, (_, index) => index % 256))
  const toxic = (given: NewToxic) => faults.addToxic('echo', given)

  test('a proxy has its state, and errors have a status', async () => {
    const listen = `127.0.0.1:${port}`
    expect(await faults.call('GET', '/proxies/echo')).toMatchObject({
      status: 200,
      body: { name: 'echo', listen, enabled: true, toxics: [] },
    })
    const latency = { type: 'latency', attributes: { latency: 5 } }
    expect(await faults.call('POST', '/proxies/echo/toxics', latency)).toEqual({
      status: 200,
      body: {
        name: 'latency_downstream',
        type: 'latency',
        stream: 'downstream',
        toxicity: 1,
        attributes: { latency: 5, jitter: 0 },
      },
    })
    const statuses = [
      await faults.call('POST', '/proxies/echo/toxics', latency),
      await faults.call('POST', '/proxies/echo/toxics', { type: 'latency', stream: 'sideways' }),
      await faults.call('POST', '/proxies/echo/toxics', { type: 'sunshine' }),
      await faults.call('POST', '/proxies', { name: 'echo', upstream: 'localhost:1', listen: '127.0.0.1:0' }),
      await faults.call('POST', '/proxies', { name: 'nameless' }),
      await faults.call('GET', '/proxies/nobody'),
      await faults.call('DELETE', '/proxies/nobody'),
      await faults.call('DELETE', '/proxies/echo/toxics/nothing'),
      await faults.call('DELETE', '/proxies/echo/toxics/latency_downstream'),
      await faults.call('POST', '/proxies/echo', { enabled: false }),
      await faults.call('POST', '/reset'),
    ].map(({ status }) => status)
    expect(statuses).toEqual([409, 400, 400, 409, 400, 404, 404, 404, 204, 200, 204])
  })

  test('a disabled proxy closes its connections and refuses new ones, and uses its port again', async () => {
    const socket = await open()
    await roundTrip(socket, bytes)
    const closed = once(socket, 'close')
    await faults.enable('echo', false)
    await closed
    await expect(open()).rejects.toThrow('ECONNREFUSED')
    await faults.enable('echo', true)
    await roundTrip(await open(), bytes)
  })

  test('latency delays each direction of an open connection, in order, until its removal', async () => {
    const socket = await open()
    await roundTrip(socket, bytes)
    await toxic({ type: 'latency', attributes: { latency: 150, jitter: 20 } })
    await toxic({ type: 'latency', stream: 'upstream', attributes: { latency: 150, jitter: 20 } })
    expect(await roundTrip(socket, bytes)).toBeGreaterThanOrEqual(255)
    await faults.reset()
    await roundTrip(socket, bytes)
    await toxic({ type: 'latency', attributes: { latency: 3_600_000 } })
    const waiting = roundTrip(socket, bytes)
    await faults.removeToxic('echo', 'latency_downstream')
    await waiting
  })

  test('bandwidth limits the rate', async () => {
    await toxic({ type: 'bandwidth', attributes: { rate: 10 } })
    expect(await roundTrip(await open(), bytes)).toBeGreaterThanOrEqual(280)
  })

  test('timeout drops data and closes the connection, after its time or when it is removed', async () => {
    await toxic({ type: 'timeout', attributes: { timeout: 50 } })
    const first = await open()
    first.write('lost')
    expect(await buffer(first)).toHaveLength(0)
    await faults.reset()
    const second = await open()
    await roundTrip(second, bytes)
    await toxic({ type: 'timeout', attributes: { timeout: 0 } })
    second.write('lost')
    const received = buffer(second)
    await faults.removeToxic('echo', 'timeout_downstream')
    expect(await received).toHaveLength(0)
  })

  test('reset_peer resets the connection', async () => {
    await toxic({ type: 'reset_peer', attributes: { timeout: 10 } })
    const socket = await open()
    socket.write('lost')
    await expect(buffer(socket)).rejects.toThrow('ECONNRESET')
  })

  test('slicer sends small chunks with pauses', async () => {
    await toxic({ type: 'slicer', attributes: { average_size: 300, size_variation: 10, delay: 20_000 } })
    expect(await roundTrip(await open(), bytes)).toBeGreaterThanOrEqual(120)
  })

  test('limit_data closes the connection after the bytes', async () => {
    await toxic({ type: 'limit_data', attributes: { bytes: 1_234 } })
    const socket = await open()
    socket.write(bytes)
    expect(await buffer(socket)).toEqual(bytes.subarray(0, 1_234))
  })

  test('slow_close delays the end of the connection', async () => {
    await toxic({ type: 'slow_close', stream: 'upstream', attributes: { delay: 150 } })
    const socket = await open()
    const startedAt = performance.now()
    socket.end('last')
    await buffer(socket)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(145)
  })

  test('a toxicity of 0 affects no connection', async () => {
    await toxic({ type: 'timeout', toxicity: 0, attributes: { timeout: 1 } })
    await roundTrip(await open(), bytes)
  })
})
