import { afterAll, beforeAll, expect } from '@jest/globals'
import { runApp } from './app.ts'
import { type TestService, testPostgres, testRedis } from './services.ts'

/**
 * Starts a migrated PostgreSQL and a Redis before the tests, and stops both after the tests. Read the properties inside
 * a test.
 */
export function useStores(): Readonly<Record<'database' | 'redis', TestService>> {
  const stores = {} as Record<'database' | 'redis', TestService>
  beforeAll(async () => {
    ;[stores.database, stores.redis] = await Promise.all([testPostgres(), testRedis()])
    expect(await runApp(['migrate'], { env: { DATABASE_URL: stores.database.url } })).toMatchObject({ code: 0 })
  }, 60_000)
  afterAll(() => Promise.all(Object.values(stores).map((store) => store.stop())))
  return stores
}
