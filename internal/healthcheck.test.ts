import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { healthcheck } from './healthcheck.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test.each([
  [200, true],
  [503, false],
])('status %d: ready is %s', async (status, ok) => {
  const port = await listen(createHttpServer((_request, response) => response.writeHead(status).end('body')))
  expect(await healthcheck('ready', '0.0.0.0', port)).toEqual({ ok, message: 'body' })
})

test('a program that switches protocols is not ready', async () => {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
  const port = await listen(createServer((socket) => void socket.once('data', () => socket.write(head))))
  expect(await healthcheck('ready', '127.0.0.1', port)).toEqual({ ok: false, message: 'closed without a response' })
})
