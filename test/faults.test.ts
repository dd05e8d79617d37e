import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { migrations } from '../internal/store/migrations/index.ts'
import { fetchHealth, findLines, killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { startProber } from './support/prober.ts'
import { freePort, testRedis, until } from './support/services.ts'
import { useStores } from './support/stores.ts'

/** These settings have the proportions of the defaults. monitor.test.ts tests the times with a fake clock. */
const HEALTH = { HEALTH_INTERVAL_MS: '300', HEALTH_TIMEOUT_MS: '250', HEALTH_FALL: '2' }
/**
 * These settings wait long enough for a response on a busy machine, so that a check fails for one reason only.
 */
const PATIENT = { HEALTH_INTERVAL_MS: '20000', HEALTH_TIMEOUT_MS: '20000' }

const stores = useStores()
afterEach(killApps)

const ready = (app: RunningApp, expected: boolean) =>
  until(async () => (await fetch(`${app.url}/health/ready`)).ok === expected)

const reason = (app: RunningApp, name: string, expected: string) =>
  until(async () => (await fetchHealth(app)).checks[name]?.reason === expected)

/** Returns the resident set of a process in MiB. */
const readResidentMb = (pid: number) =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024

/**
 * Counts the established connections to a port of the loopback address:
 * https://docs.kernel.org/networking/proc_net_tcp.html
 */
function countConnections(port: number): number {
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

  /** Liveness must not fail in any of these tests. */
  afterEach(async () => {
    const { count, statuses } = await prober.stop()
    expect(count).toBeGreaterThan(0)
    expect(statuses).toEqual({ 200: count })
  })

  test('a killed server fails its check with reason refused, and its restart makes the process ready again', async () => {
    await stores[name].kill()
    await ready(app, false)
    await reason(app, name, 'refused')
    const { code, status, checks } = await fetchHealth(app)
    expect({ code, status }).toEqual({ code: 503, status: 'fail' })
    expect(checks[name]).toMatchObject({ status: 'fail', reason: 'refused' })
    await stores[name].restart()
    await ready(app, true)
    expect((await fetchHealth(app)).code).toBe(200)
    const failures = app.lines.filter(
      (line) => line['message'] === 'check failed' && line['service.target.name'] === name,
    )
    expect(failures.filter((line) => line['event.reason'] === 'refused')).toHaveLength(1)
  })

  test('a hanging server fails its check with reason timeout, and the service is ready when the server resumes', async () => {
    stores[name].hang()
    await ready(app, false)
    // The server still hangs, so a probe that waited for it would never end.
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200)
    expect((await fetchHealth(app)).checks[name]).toMatchObject({ status: 'fail', reason: 'timeout' })
    stores[name].resume()
    await ready(app, true)
  })

  test('a hanging server costs neither memory nor connections', async () => {
    stores[name].hang()
    await ready(app, false)
    const before = readResidentMb(app.pid)
    const checkedAt = new Set<unknown>()
    await until(async () => {
      const { checks } = await fetchHealth(app)
      checkedAt.add(checks[name]?.checkedAt)
      return checkedAt.size > 4
    })
    expect(readResidentMb(app.pid) - before).toBeLessThan(30)
    if (process.platform === 'linux') expect(countConnections(stores[name].port)).toBeLessThan(10)
    stores[name].resume()
    await ready(app, true)
  })
})

test('a start without stores serves /ping, is not ready, and becomes ready when the stores start', async () => {
  await Promise.all([stores.database.kill(), stores.redis.kill()])
  const app = await startApp({ env: { ...HEALTH, DATABASE_URL: stores.database.url, REDIS_URL: stores.redis.url } })
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  expect((await fetch(`${app.url}/health/startup`)).status).toBe(200)
  await until(async () => Object.values((await fetchHealth(app)).checks).every(({ reason }) => reason === 'refused'))
  expect((await fetchHealth(app)).code).toBe(503)
  await Promise.all([stores.database.restart(), stores.redis.restart()])
  await ready(app, true)
})

describe('a database without the migrations of this build', () => {
  let admin: pg.Client
  let url: string
  beforeAll(async () => {
    admin = new pg.Client(stores.database.url)
    await admin.connect()
    await admin.query('create database unmigrated')
    url = stores.database.url.replace(/[^/]+$/, 'unmigrated')
  })
  afterAll(() => admin.end())

  test('makes the service not ready until they are applied, and again when an older copy is restored', async () => {
    const app = await startApp({ env: { ...HEALTH, DATABASE_URL: url } })
    await reason(app, 'database', 'migrations')
    const response = await fetch(`${app.url}/health/ready`)
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({ status: 'fail', reason: 'dependency' })
    const checkedAt = new Set<unknown>()
    await until(async () => checkedAt.add((await fetchHealth(app)).checks['database']?.checkedAt).size > 2)
    expect(await runApp(['migrate'], { env: { DATABASE_URL: url } })).toMatchObject({ code: 0 })
    await ready(app, true)
    const names = Object.keys(migrations)
    expect(listFailures(app)).toEqual([
      expect.objectContaining({
        'log.level': 'error',
        'service.target.name': 'database',
        'event.reason': 'migrations',
        'error.message': `migrations not applied: ${names.join(', ')}`,
      }),
    ])

    const restored = new pg.Client(url)
    await restored.connect()
    await restored.query('delete from schema_migrations where name = $1', [names.at(-1)])
    await ready(app, false)
    await reason(app, 'database', 'migrations')
    await restored.query('insert into schema_migrations values ($1), ($2)', [names.at(-1), '9999-of-a-newer-build'])
    await restored.end()
    await ready(app, true)
  })

  const listFailures = (app: RunningApp) =>
    app.lines.filter((line) => line['message'] === 'check failed' && line['event.reason'] === 'migrations')
})

test('a failed store that is not critical leaves the service ready', async () => {
  const env = { ...HEALTH, REDIS_URL: `redis://127.0.0.1:${await freePort()}`, REDIS_CRITICAL: 'false' }
  const app = await startApp({ env })
  await app.line({ message: 'check failed', 'service.target.name': 'redis' })
  expect(await fetchHealth(app)).toMatchObject({
    code: 200,
    status: 'ok',
    checks: { redis: { status: 'fail', critical: false } },
  })
  await ready(app, true)
})

test('app healthcheck exits with 0 when a store that is not critical fails and HEALTH_DIALECT is consul', async () => {
  const redis = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, REDIS_CRITICAL: 'false' }
  const app = await startApp({ env: { ...HEALTH, ...redis, HEALTH_DIALECT: 'consul' } })
  await until(async () => (await fetch(`${app.url}/health/ready`)).status === 429)
  const result = await runApp(['healthcheck'], { env: { HOST: '127.0.0.1', PORT: String(app.port) } })
  expect(result).toEqual({ code: 0, stdout: '{"status":"ok"}\n', stderr: '' })
})

describe('256 file descriptors and 400 idle connections', () => {
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  /**
   * Opens a connection.
   *
   * @returns a function that requests a path on it, and rejects when the service closes the connection
   */
  async function open(app: RunningApp): Promise<(path: string) => Promise<string | undefined>> {
    const socket = connect(app.port, '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    const closed = new AbortController()
    socket.once('close', () => closed.abort())
    return async (path) => {
      if (socket.destroyed) throw new Error('closed')
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      const [response] = await once(socket, 'data', { signal: closed.signal })
      return String(response).split('\r\n', 1)[0]
    }
  }

  test('probes get a response on old and new connections, checks continue, and the log has one line', async () => {
    const program = ['/bin/sh', '-c', 'ulimit -n 256; exec "$0"', resolve('dist/app')]
    const check = { HEALTH_CHECKS: 'true=command:/bin/true', HEALTH_CRITICAL: 'true' }
    const app = await startApp({ program, env: { ...HEALTH, ...check } })
    await ready(app, true)
    const ok = 'HTTP/1.1 200 OK'
    const askOld = await open(app)
    for (let count = 1; count <= 400; count++) {
      const askIdle = await open(app)
      // Half of the connections have received a response before they become idle.
      if (count % 2 === 0) expect(await askIdle('/ping')).toBe(ok)
      if (count % 10 === 0) expect(await askOld('/health/live')).toBe(ok)
    }
    for (let probe = 0; probe < 20; probe++) {
      const askNew = await open(app)
      expect(await askNew('/health/live')).toBe(ok)
      expect(await askOld('/health/live')).toBe(ok)
    }
    const checkedAt = new Set<unknown>()
    await until(async () => checkedAt.add((await fetchHealth(app)).checks['true']?.checkedAt).size > 2)
    await ready(app, true)
    expect(findLines(app, 'connection limit reached')).toEqual([expect.objectContaining({ 'log.level': 'warn' })])
    for (const socket of sockets) socket.destroy()
    expect(await app.line({ message: 'connection limit left' })).toMatchObject({ 'App.connections.refused': 0 })
  })
})

describe('public responses', () => {
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
    ['a server that is not Redis', () => ({ REDIS_URL: `redis://127.0.0.1:${stores.database.port}` }), 'error'],
  ])('%s gives a reason of one word, and the log has the cause without the secret', async (_name, env, reason) => {
    const app = await startApp({ env: { ...PATIENT, ...env() } })
    const name = 'REDIS_URL' in env() ? 'redis' : 'database'
    const line = await app.line({ message: 'check failed', 'service.target.name': name })
    const { checks } = await fetchHealth(app)
    expect(checks[name]).toEqual({ status: 'fail', critical: true, reason, checkedAt: expect.any(Number) })
    expect(line).toMatchObject({ 'event.reason': reason, 'error.message': expect.any(String) })
    expect(JSON.stringify(app.lines)).not.toContain(secret)
  })

  test('a wrong Redis password gives the reason unauthorized', async () => {
    const guarded = await testRedis({ password: 'right' })
    const app = await startApp({ env: { ...PATIENT, REDIS_URL: guarded.url.replace('right', secret) } })
    await app.line({ message: 'check failed', 'service.target.name': 'redis' })
    expect((await fetchHealth(app)).checks['redis']).toMatchObject({ reason: 'unauthorized' })
    const healthy = await startApp({ env: { ...HEALTH, REDIS_URL: guarded.url } })
    await ready(healthy, true)
    await guarded.stop()
  })
})

test('the report contains heartbeats of other services, and only HEALTH_CRITICAL makes them critical', async () => {
  const peer = await startApp()
  const HEALTH_CHECKS = `peer=${peer.url}/health/live,port=tcp://127.0.0.1:${peer.port},disk=command:/bin/df /`
  const times = { HEALTH_INTERVAL_MS: '1000', HEALTH_TIMEOUT_MS: '1000' }
  const app = await startApp({ env: { ...times, HEALTH_CHECKS, HEALTH_CRITICAL: 'peer' } })
  await ready(app, true)
  await until(async () => Object.values((await fetchHealth(app)).checks).every(({ status }) => status === 'ok'))
  expect((await fetchHealth(app)).checks).toMatchObject({
    peer: { status: 'ok', critical: true },
    port: { status: 'ok', critical: false },
    disk: { status: 'ok', critical: false },
  })
  peer.signal('SIGKILL')
  await peer.ended
  await ready(app, false)
  await reason(app, 'peer', 'refused')
  await until(async () => (await fetchHealth(app)).checks['disk']?.status === 'ok')
})
