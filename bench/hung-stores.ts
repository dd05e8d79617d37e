import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

export type Environment = Readonly<Record<string, string>>

/**
 * Starts a database and a Redis that accept connections and never respond, which is the worst failure of a dependency.
 */
export async function startHungStores(): Promise<Environment> {
  const server = createServer((socket) => socket.on('error', () => {}).resume())
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { DATABASE_URL: `postgres://127.0.0.1:${port}/none`, REDIS_URL: `redis://127.0.0.1:${port}` }
}
