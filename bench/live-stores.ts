import { join } from 'node:path'
import { startPostgres } from '../scripts/services/postgres.ts'
import { startRedis } from '../scripts/services/redis.ts'
import { succeed } from '../test/support/run.ts'
import { temporaryDirectory } from '../test/support/temporary.ts'
import type { Environment } from './hung-stores.ts'

export interface LiveStores extends AsyncDisposable {
  readonly env: Environment
}

/** Starts a PostgreSQL and a Redis, and migrates the database with `app`. */
export async function startLiveStores(app: string): Promise<LiveStores> {
  const directory = temporaryDirectory('bench-stores')
  const postgres = await startPostgres({ directory: join(directory, 'postgres') })
  const redis = await startRedis({ directory: join(directory, 'redis') })
  const env = { DATABASE_URL: postgres.url, REDIS_URL: redis.url }
  await succeed(app, ['migrate'], { env })
  return {
    env,
    async [Symbol.asyncDispose]() {
      await redis.stop()
      await postgres.stop()
    },
  }
}
