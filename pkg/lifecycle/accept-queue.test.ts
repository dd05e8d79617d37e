import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { fillAcceptQueue } from './accept-queue.ts'

/** Another process that connects while this one does nothing, and says what has become of it after a while. */
const CONNECTING = `
  const socket = require('node:net').connect(Number(process.argv[1]), process.argv[2])
  socket.on('connect', () => process.exit(console.log('connected')))
  socket.on('error', ({ code }) => process.exit(console.log(code)))
  setTimeout(() => process.exit(console.log('waits')), 300)`

async function listening(host: string) {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const to = host === '0.0.0.0' ? '127.0.0.1' : host
  const connectNow = () =>
    execFileSync(process.execPath, ['-e', CONNECTING, String(port), to], { encoding: 'utf8' }).trim()
  return { server, connectNow }
}

test.each(['127.0.0.1', '0.0.0.0'])('nobody gets into the queue of %s before it is closed', async (host) => {
  const { server, connectNow } = await listening(host)
  const closed = await fillAcceptQueue(server)
  expect(connectNow()).toBe('waits')
  server.close()
  closed()
  await setImmediate()
  expect(connectNow()).toBe('ECONNREFUSED')
})

test('who waits in the queue already is accepted first', async () => {
  const { server, connectNow } = await listening('127.0.0.1')
  expect([connectNow(), connectNow()]).toEqual(['connected', 'connected'])
  let accepted = 0
  server.on('connection', () => accepted++)
  const closed = await fillAcceptQueue(server)
  expect(accepted).toBe(2)
  server.close()
  closed()
})

test('a socket without a port is left alone', async () => {
  const server = createServer()
  expect((await fillAcceptQueue(server))()).toBeUndefined()
})
