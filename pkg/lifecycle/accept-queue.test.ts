import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { fillAcceptQueue } from './accept-queue.ts'

/**
 * The script of another process, which connects while this process is blocked. It prints its local port when it is
 * connected, and `waits` after half a second without a connection. The system tries again after a second.
 */
const CONNECTING = `
  const socket = require('node:net').connect(Number(process.argv[1]), process.argv[2])
  socket.on('connect', () => process.exit(console.log(socket.localPort)))
  socket.on('error', ({ code }) => process.exit(console.log(code)))
  setTimeout(() => process.exit(console.log('waits')), 500)`

async function listening({ host, ...options }: { host: string; port?: number; reusePort?: boolean }) {
  const server = createServer().listen({ host, port: 0, ...options })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const to = host === '0.0.0.0' ? '127.0.0.1' : host
  const connectNow = () =>
    execFileSync(process.execPath, ['-e', CONNECTING, String(port), to], { encoding: 'utf8' }).trim()
  return { server, connectNow }
}

test.each(['127.0.0.1', '0.0.0.0'])('no new connection enters the queue of %s before it is closed', async (host) => {
  const { server, connectNow } = await listening({ host })
  const free = await fillAcceptQueue(server, 60_000)
  expect(connectNow()).toBe('waits')
  server.close()
  free?.()
  await setImmediate()
  expect(connectNow()).toBe('ECONNREFUSED')
})

test('connections that already wait in the queue are accepted first', async () => {
  const { server, connectNow } = await listening({ host: '127.0.0.1' })
  const waiting = [connectNow(), connectNow()]
  const accepted: string[] = []
  server.on('connection', ({ remotePort }) => accepted.push(String(remotePort)))
  const free = await fillAcceptQueue(server, 60_000)
  expect(accepted).toEqual(expect.arrayContaining(waiting))
  server.close()
  free?.()
})

test('when one of two servers that share a port closes its queue, new connections go to the other server', async () => {
  const { server, connectNow } = await listening({ host: '127.0.0.1', reusePort: true })
  const { port } = server.address() as AddressInfo
  const other = await listening({ host: '127.0.0.1', port, reusePort: true })
  const free = await fillAcceptQueue(server, 60_000)
  // The system spreads connections over both queues. Connections to the full queue wait, and the other server accepts
  // the rest.
  const outcomes = new Set<boolean>()
  while (outcomes.size < 2) outcomes.add(connectNow() === 'waits')
  server.close()
  free?.()
  await setImmediate()
  expect(connectNow()).toMatch(/^\d+$/)
  other.server.close()
})

test('on a machine with many connections no other connection uses the source port', async () => {
  const { server: other } = await listening({ host: '127.0.0.1' })
  const { port } = other.address() as AddressInfo
  const connections: Socket[] = []
  other.on('connection', (socket) => connections.push(socket))
  while (connections.length < 1_000) {
    const socket = connect(port, '127.0.0.1')
    connections.push(socket)
    await once(socket, 'connect')
  }
  let failures = 0
  for (let attempt = 0; attempt < 60; attempt++) {
    const { server } = await listening({ host: '127.0.0.1' })
    const free = await fillAcceptQueue(server, 200)
    if (free === undefined) failures++
    server.close()
    free?.()
  }
  for (const socket of connections) socket.destroy()
  other.close()
  expect(failures).toBe(0)
})

test('without the private methods of Node the call has no effect', async () => {
  const { server } = await listening({ host: '127.0.0.1' })
  const handle = Object.getOwnPropertyDescriptor(server, '_handle')!
  Object.defineProperty(server, '_handle', { value: {}, configurable: true, writable: true })
  expect(await fillAcceptQueue(server, 60_000)).toBeUndefined()
  Object.defineProperty(server, '_handle', handle)
  server.close()
})

test('a socket without a port is unchanged', async () => {
  const server = createServer()
  expect(await fillAcceptQueue(server, 60_000)).toBeUndefined()
})
