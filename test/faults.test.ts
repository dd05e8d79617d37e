import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { healthOf, killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { startProber } from './support/prober.ts'
import { freePort, type TestService, testPostgres, testRedis, until } from './support/services.ts'

/** Quick enough for a test, in the proportions of the defaults. */
const HEALTH = { HEALTH_INTERVAL_MS: '300', HEALTH_TIMEOUT_MS: '250', HEALTH_FALL: '2' }
const FLIP_MS = 2 * 300 + 250
/** What a loaded machine may add; the bound itself is proved with a fake clock in monitor.test.ts. */
const SLACK_MS = 400

const stores: Record<'database' | 'redis', TestService> = {} as never
beforeAll(async () => {
  ;[stores.database, stores.redis] = await Promise.all([testPostgres(), testRedis()])
})
afterAll(async () => {
  await Promise.all(Object.values(stores).map((store) => store.stop()))
})
afterEach(killApps)

async function ready(app: RunningApp, expected: boolean): Promise<number> {
  const startedAt = performance.now()
  await until(async () => (await fetch(`${app.url}/health/ready`)).ok === expected)
  return performance.now() - startedAt
}

/** Memory of a process in MiB. */
const rssOf = (pid: number) =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024

/** Established connections to a port of the loopback address: https://docs.kernel.org/networking/proc_net_tcp.html */
function connectionsTo(port: number): number {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  return rows.filter(([, , address, state]) => address === remote && state === '01').length
}

describe.each(['database', 'redis'] as const)('%s', (name) => {
  let app: RunningApp
  let prober: ReturnType<typeof startProber>

  beforeEach(async () => {
    const env = { ...HEALTH, DATABASE_URL: stores.database.url, REDIS_URL: stores.redis.url }
    app = await startApp({ env })
    await ready(app, true)
    prober = startProber(`${app.url}/health/live`)
  })

  /** Whatever happened: liveness never failed, quickly, in the same process. */
  afterEach(async () => {
    const { count, statuses, p99Ms } = await prober.stop()
    expect(count).toBeGreaterThan(20)
    expect(statuses).toEqual({ 200: count })
    console.info(`${expect.getState().currentTestName}: liveness p99 ${p99Ms.toFixed(1)} ms of ${count}`)
    // One that waited for a dependency would take as long as its check does.
    expect(p99Ms).toBeLessThan(Number(HEALTH.HEALTH_TIMEOUT_MS))
  })

  test('killed, it is refused; started again, it is ok in the same process', async () => {
    await stores[name].kill()
    expect(await ready(app, false)).toBeLessThan(FLIP_MS + SLACK_MS)
    const { code, status, checks } = await healthOf(app)
    expect({ code, status }).toEqual({ code: 503, status: 'fail' })
    expect(checks[name]).toMatchObject({ status: 'fail', reason: 'refused' })
    await stores[name].restart()
    await ready(app, true)
    expect((await healthOf(app)).code).toBe(200)
    expect(app.lines.filter(({ msg, check }) => msg === 'check failed' && check === name)).toHaveLength(1)
  })

  test('hanging, it times out; resumed, it is ok', async () => {
    stores[name].hang()
    expect(await ready(app, false)).toBeLessThan(FLIP_MS + SLACK_MS)
    expect((await healthOf(app)).checks[name]).toMatchObject({ status: 'fail', reason: 'timeout' })
    stores[name].resume()
    await ready(app, true)
  })

  test('hanging for long costs no memory and no connections', async () => {
    stores[name].hang()
    await ready(app, false)
    const before = rssOf(app.pid)
    const checkedAt = new Set<unknown>()
    await until(async () => {
      const { checks } = await healthOf(app)
      checkedAt.add(checks[name]?.checkedAt)
      return checkedAt.size > 4
    })
    expect(rssOf(app.pid) - before).toBeLessThan(30)
    if (process.platform === 'linux') expect(connectionsTo(stores[name].port)).toBeLessThan(10)
    stores[name].resume()
    await ready(app, true)
  })
})

test('both down at the start: it serves, is not ready, and becomes ready when they come', async () => {
  await Promise.all([stores.database.kill(), stores.redis.kill()])
  const app = await startApp({ env: { ...HEALTH, DATABASE_URL: stores.database.url, REDIS_URL: stores.redis.url } })
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  expect((await fetch(`${app.url}/health/startup`)).status).toBe(200)
  await until(async () => Object.values((await healthOf(app)).checks).every(({ reason }) => reason === 'refused'))
  expect((await healthOf(app)).code).toBe(503)
  await Promise.all([stores.database.restart(), stores.redis.restart()])
  await ready(app, true)
})

test('a store that is not critical fails in the report only', async () => {
  const env = { ...HEALTH, REDIS_URL: `redis://127.0.0.1:${await freePort()}`, REDIS_CRITICAL: 'false' }
  const app = await startApp({ env })
  await app.line({ msg: 'check failed', check: 'redis' })
  expect(await healthOf(app)).toMatchObject({
    code: 200,
    status: 'ok',
    checks: { redis: { status: 'fail', critical: false } },
  })
  await ready(app, true)
})

test('app healthcheck exits 0 although a store that is not critical fails and the service speaks to Consul', async () => {
  const redis = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, REDIS_CRITICAL: 'false' }
  const app = await startApp({ env: { ...HEALTH, ...redis, HEALTH_DIALECT: 'consul' } })
  await until(async () => (await fetch(`${app.url}/health/ready`)).status === 429)
  const result = await runApp(['healthcheck'], { env: { HOST: '127.0.0.1', PORT: String(app.port) } })
  expect(result).toEqual({ code: 0, stdout: '{"status":"ok"}\n', stderr: '' })
})

describe('what the world may know', () => {
  const secret = 'hunter2'

  test.each([
    [
      'a wrong database password',
      () => ({ DATABASE_URL: stores.database.url.replace(/:[^:@]+@/, `:${secret}@`) }),
      'unauthorized',
    ],
    ['an unknown database host', () => ({ DATABASE_URL: `postgres://app:${secret}@db.invalid/app` }), 'unresolved'],
    ['an unknown database', () => ({ DATABASE_URL: stores.database.url.replace(/postgres$/, 'nothing') }), 'error'],
    ['an unknown Redis host', () => ({ REDIS_URL: `redis://:${secret}@cache.invalid` }), 'unresolved'],
    ['a server that is no Redis', () => ({ REDIS_URL: `redis://127.0.0.1:${stores.database.port}` }), 'error'],
  ])('%s is a reason in one word, and the cause is in the log without its secret', async (_name, env, reason) => {
    const app = await startApp({ env: { ...HEALTH, ...env() } })
    const name = 'REDIS_URL' in env() ? 'redis' : 'database'
    const line = await app.line({ msg: 'check failed', check: name })
    const { checks } = await healthOf(app)
    expect(checks[name]).toEqual({ status: 'fail', critical: true, reason, checkedAt: expect.any(Number) })
    expect(line).toMatchObject({ reason, err: { message: expect.any(String) } })
    expect(JSON.stringify(app.lines)).not.toContain(secret)
  })

  test('a wrong Redis password is unauthorized', async () => {
    const guarded = await testRedis({ password: 'right' })
    const app = await startApp({ env: { ...HEALTH, REDIS_URL: guarded.url.replace('right', secret) } })
    await app.line({ msg: 'check failed', check: 'redis' })
    expect((await healthOf(app)).checks['redis']).toMatchObject({ reason: 'unauthorized' })
    const healthy = await startApp({ env: { ...HEALTH, REDIS_URL: guarded.url } })
    await ready(healthy, true)
    await guarded.stop()
  })
})

test('heartbeats of other services are in the report, critical only by name', async () => {
  const peer = await startApp()
  const HEALTH_CHECKS = `peer=${peer.url}/health/live,port=tcp://127.0.0.1:${peer.port},disk=command:/bin/df /`
  const app = await startApp({ env: { ...HEALTH, HEALTH_CHECKS, HEALTH_CRITICAL: 'peer' } })
  await ready(app, true)
  expect((await healthOf(app)).checks).toMatchObject({
    peer: { status: 'ok', critical: true },
    port: { status: 'ok', critical: false },
    disk: { status: 'ok', critical: false },
  })
  peer.signal('SIGKILL')
  await peer.ended
  await ready(app, false)
  expect((await healthOf(app)).checks).toMatchObject({ peer: { reason: 'refused' }, disk: { status: 'ok' } })
})
