import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { listen } from './listen.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

function newServer(): Server {
  const server = createServer()
  servers.push(server)
  return server
}

const findPort = (server: Server) => (server.address() as AddressInfo).port

test.each(['127.0.0.1', '::1', 'localhost'])('a server that listens on %s accepts connections', async (host) => {
  const server = newServer()
  await listen({ server, host, port: 0 })
  const accepted = once(server, 'connection')
  const client = connect(findPort(server), host)
  await accepted
  client.destroy()
  expect(server.listenerCount('error')).toBe(0)
})

test.each(['127.0.0.1', '::1'])('two servers share a port of %s when both set reusePort', async (host) => {
  const [first, second] = [newServer(), newServer()]
  await listen({ server: first, host, port: 0, reusePort: true })
  await listen({ server: second, host, port: findPort(first), reusePort: true })
  expect(findPort(second)).toBe(findPort(first))
})

test.each([
  [false, 'is taken: stop the other process, or set PORT'],
  [true, 'is taken by a process that does not share it'],
])(
  'with reusePort %s, a port that another server does not share is an error that names the remedy',
  async (reusePort, text) => {
    const other = newServer()
    await listen({ server: other, host: '127.0.0.1', port: 0 })
    const refused = listen({
      server: newServer(),
      host: '127.0.0.1',
      port: findPort(other),
      reusePort,
    })
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining(text),
      cause: { code: 'EADDRINUSE' },
    })
  },
)

test('the errors for an address of another machine and for an unknown name ask for HOST', async () => {
  for (const host of ['192.0.2.1', 'no-such-host.invalid']) {
    await expect(listen({ server: newServer(), host, port: 0 })).rejects.toThrow(
      `${host} is not an address of this machine: set HOST`,
    )
  }
})

test('the error for a file descriptor that is not a socket asks for LISTEN_FD', async () => {
  await expect(listen({ server: newServer(), host: '127.0.0.1', port: 0, fd: 1023 })).rejects.toThrow(
    'file descriptor 1023 is not a socket that this process has inherited: set LISTEN_FD',
  )
})
