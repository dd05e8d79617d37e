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

let clients = 0
const nextClient = () => `10.0.0.${++clients}`

const fetchPing = (app: RunningApp, client: string) =>
  fetch(`${app.url}/ping`, { headers: { 'x-forwarded-for': client } })

/**
 * Sends requests of one client to each process in turn. Returns the status and the remaining quota of each response.
 */
async function send(client: string, times: number) {
  const statuses: number[] = []
  const left: number[] = []
  for (let time = 0; time < times; time++) {
    const { status, headers } = await fetchPing(apps[time % apps.length]!, client)
    statuses.push(status)
    left.push(Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]))
  }
  return { statuses, left }
}

/** Sends one more request to each process, and returns its log messages about counting alone or together. */
async function listChanges(): Promise<string[][]> {
  const changes: string[][] = []
  for (const app of apps) {
    const client = nextClient()
    await fetchPing(app, client)
    // The line of the request follows the lines of the requests before it.
    await app.line({ 'client.address': client })
    changes.push(
      app.lines.map(({ message }) => String(message)).filter((message) => message.startsWith('rate limit counted')),
    )
  }
  return changes
}

/**
 * Sends requests of a new client until the processes have counted all of them together. On a busy machine, Redis may
 * take longer than the 50 ms after which a process counts alone.
 */
async function sendTogether(times: number) {
  for (;;) {
    const before = await listChanges()
    const client = nextClient()
    const sent = await send(client, times)
    const after = await listChanges()
    const isTogether = before.every((messages) => messages.at(-1) !== 'rate limit counted alone')
    if (isTogether && after.flat().length === before.flat().length) return { client, ...sent }
  }
}

const TOGETHER = { statuses: [200, 200, 200, 200, 200, 200, 429, 429], left: [5, 4, 3, 2, 1, 0, 0, 0] }
const ALONE = {
  statuses: [...Array<number>(12).fill(200), 429, 429],
  left: [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0],
}

test('two processes share one count for each client', async () => {
  const { client, ...sent } = await sendTogether(8)
  expect(sent).toEqual(TOGETHER)
  expect(await sendTogether(1)).toMatchObject({ statuses: [200], left: [5] })
  // A process that counts alone does not know the client, and responds with 200.
  await until(async () => {
    const { status, headers } = await fetchPing(apps[0]!, client)
    if (status === 200) return false
    const [, left, seconds] = /^"client";r=(\d+);t=([1-9]|[1-5]\d|60)$/.exec(headers.get('ratelimit') ?? '') ?? []
    expect([status, left, headers.get('retry-after')]).toEqual([429, '0', seconds])
    return true
  })
})

test('without Redis each process counts alone, and the processes count together when Redis is back', async () => {
  await redis.kill()
  expect(await send(nextClient(), 14)).toEqual(ALONE)
  for (const app of apps) await app.line({ message: 'rate limit counted alone', 'log.level': 'warn' })
  await redis.restart()
  await Promise.all(apps.map(ready))
  expect(await sendTogether(8)).toMatchObject(TOGETHER)
  for (const app of apps) await app.line({ message: 'rate limit counted together' })
})

test('a Redis that hangs makes each process count alone', async () => {
  redis.hang()
  expect(await send(nextClient(), 14)).toEqual(ALONE)
  // counter.test.ts proves that only one request a second waits for Redis.
  for (const app of apps) await app.line({ message: 'rate limit counted alone', 'log.level': 'warn' })
  redis.resume()
  await Promise.all(apps.map(ready))
})
