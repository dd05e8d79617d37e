import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from './support/app.ts'
import { type TestService, testRedis, until } from './support/services.ts'

let redis: TestService
beforeAll(async () => {
  redis = await testRedis()
})
afterAll(() => redis.stop())

let apps: RunningApp[]
beforeEach(async () => {
  const env = {
    REDIS_URL: redis.url,
    RATE_LIMIT: '6',
    TRUST_PROXY: '1',
    HEALTH_INTERVAL_MS: '300',
    HEALTH_TIMEOUT_MS: '250',
  }
  apps = await Promise.all([startApp({ env }), startApp({ env })])
  for (const app of apps) await ready(app)
})
afterEach(killApps)

const ready = (app: RunningApp) => until(async () => (await fetch(`${app.url}/health/ready`)).ok)

/** Sends requests of one client to each instance in turn. @returns the statuses and the remaining quotas */
async function ask(client: string, times: number) {
  const statuses: number[] = []
  const left: number[] = []
  for (let time = 0; time < times; time++) {
    const app = apps[time % apps.length]!
    const response = await fetch(`${app.url}/ping`, { headers: { 'x-forwarded-for': client } })
    statuses.push(response.status)
    left.push(Number(/r=(\d+)/.exec(response.headers.get('ratelimit') ?? '')?.[1]))
  }
  return { statuses, left }
}

const TOGETHER = { statuses: [200, 200, 200, 200, 200, 200, 429, 429], left: [5, 4, 3, 2, 1, 0, 0, 0] }
const ALONE = {
  statuses: [...Array<number>(12).fill(200), 429, 429],
  left: [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0],
}

test('two instances share the quota of a client', async () => {
  expect(await ask('192.0.2.1', 8)).toEqual(TOGETHER)
  expect(await ask('192.0.2.2', 1)).toEqual({ statuses: [200], left: [5] })
  const { headers } = await fetch(`${apps[0]!.url}/ping`, { headers: { 'x-forwarded-for': '192.0.2.1' } })
  expect(headers.get('ratelimit')).toMatch(/^"client";r=0;t=(5\d|60)$/)
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(49)
})

test('without Redis each instance counts alone, and with Redis they share the quota again', async () => {
  await redis.kill()
  expect(await ask('192.0.2.3', 14)).toEqual(ALONE)
  for (const app of apps) await app.line({ msg: 'rate limit counted alone', level: 'warn' })
  await redis.restart()
  await Promise.all(apps.map(ready))
  for (const app of apps) {
    await until(async () => {
      await fetch(`${app.url}/ping`)
      return app.lines.some(({ msg }) => msg === 'rate limit counted together')
    })
  }
  expect(await ask('192.0.2.4', 8)).toEqual(TOGETHER)
})

test('a Redis that hangs delays one request a second of each instance, and the instances count alone', async () => {
  redis.hang()
  const startedAt = performance.now()
  expect(await ask('192.0.2.5', 14)).toEqual(ALONE)
  const tookMs = performance.now() - startedAt
  console.info(`14 requests to two instances took ${tookMs.toFixed(0)} ms`)
  // One request of each instance waits 50 ms. pkg/rate-limit/rate-counter.test.ts tests that the next requests do not
  // wait.
  expect(tookMs).toBeGreaterThan(95)
  redis.resume()
  await Promise.all(apps.map(ready))
})
