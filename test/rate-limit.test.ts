import { isDeepStrictEqual } from 'node:util'
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

let clients = 0

/**
 * Sends 8 requests of a new client, and repeats that until the instances have counted them together. On a busy machine,
 * Redis may respond too late, and an instance counts alone then.
 */
async function askTogether(): Promise<string> {
  let client = ''
  await until(async () => {
    clients++
    client = `10.0.${clients >> 8}.${clients & 255}`
    return isDeepStrictEqual(await ask(client, 8), TOGETHER)
  })
  return client
}

test('two instances share the quota of a client', async () => {
  const client = await askTogether()
  expect(await ask('192.0.2.2', 1)).toEqual({ statuses: [200], left: [5] })
  const request = () => fetch(`${apps[0]!.url}/ping`, { headers: { 'x-forwarded-for': client } })
  let headers = new Headers()
  await until(async () => {
    headers = (await request()).headers
    return headers.has('retry-after')
  })
  expect(headers.get('ratelimit-policy')).toBe('"client";q=6;w=60')
  expect(headers.get('ratelimit')).toBe(`"client";r=0;t=${headers.get('retry-after')}`)
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
  await askTogether()
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
