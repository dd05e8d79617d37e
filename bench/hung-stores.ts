import { createServer } from 'node:net'
import { listen } from '../test/support/listen.ts'

export type Environment = Readonly<Record<string, string>>

/**
 * Starts a database and a Redis that accept connections and never respond, which is the worst failure of a dependency.
 */
export async function startHungStores(): Promise<Environment> {
  const server = createServer((socket) => socket.on('error', () => {}).resume())
  const { port } = await listen(server.unref())
  return { DATABASE_URL: `postgres://127.0.0.1:${port}/none`, REDIS_URL: `redis://127.0.0.1:${port}` }
}
