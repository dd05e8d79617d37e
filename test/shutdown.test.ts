import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import { fetchHealth, findLines, killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { testPostgres, testRedis, until } from './support/services.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { temporaryDirectory } from './support/temporary.ts'

afterEach(killApps)

async function open(app: RunningApp): Promise<Socket> {
  const socket = connect(app.port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** A test times out when the service waits for one of these. */
const VERY_LONG = { DRAIN_DELAY_MS: '600000', SHUTDOWN_TIMEOUT_MS: '700000' }

describe('SIGTERM', () => {
  test('under load loses no request of 32 keep-alive clients, and the exit code is 0', async () => {
    const app = await startApp({ env: { DRAIN_DELAY_MS: '3000' } })
    const load = startSteadyLoad({ targets: [app], clients: 32, intervalMs: 5 })
    await until(() => app.lines.length > 200)
    app.signal('SIGTERM')
    await app.line({ message: 'draining' })
    const before = findLines(app, 'request').length
    // The clients end before the delay does, because the service refuses connections after it.
    await until(() => findLines(app, 'request').length > before + 200)
    const { failures, closes } = await load.stop()
    expect(failures).toEqual([])
    expect(load.sent()).toBeGreaterThan(200)
    expect(closes).toBeGreaterThan(32)
    expect(await app.ended).toEqual({ code: 0, signal: null })
    // The exit loses no log line.
    expect(findLines(app, 'request').length).toBe(load.sent())
    expect(app.lines.at(-1)).toMatchObject({ message: 'stopped' })
  })

  test('makes the service not ready immediately, and the service still serves and stays live during the delay', async () => {
    const app = await startApp({ env: { DRAIN_DELAY_MS: '2000' } })
    app.signal('SIGTERM')
    await app.line({ message: 'draining' })
    const ready = await fetch(`${app.url}/health/ready`)
    expect(ready.status).toBe(503)
    expect(await ready.json()).toEqual({ status: 'fail', reason: 'draining' })
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200)
    const ping = await fetch(`${app.url}/ping`)
    expect(ping.status).toBe(200)
    expect(ping.headers.get('connection')).toBe('close')
    expect(await app.ended).toEqual({ code: 0, signal: null })
  })

  test('cuts a request that never finishes at the deadline, and the exit code is 1', async () => {
    const env = { DRAIN_DELAY_MS: '2000', SHUTDOWN_TIMEOUT_MS: '2500', HEADERS_TIMEOUT_MS: '15000' }
    const app = await startApp({ env })
    app.signal('SIGTERM')
    await app.line({ message: 'draining' })
    const slow = await open(app)
    slow.write('POST /ping HTTP/1.1\r\nhost: x\r\n')
    slow.on('error', () => {})
    expect(await app.ended).toEqual({ code: 1, signal: null })
    expect(app.lines.at(-1)).toMatchObject({ 'log.level': 'error', message: 'deadline missed' })
  })

  test('ends with 0 when the headers timeout ends an unfinished request before the deadline', async () => {
    const env = { DRAIN_DELAY_MS: '100', SHUTDOWN_TIMEOUT_MS: '10000', HEADERS_TIMEOUT_MS: '400' }
    const app = await startApp({ env })
    const slow = await open(app)
    slow.write('POST /ping HTTP/1.1\r\nhost: x\r\n')
    app.signal('SIGTERM')
    expect(await text(slow)).toMatch(/^HTTP\/1\.1 408/)
    expect(await app.ended).toEqual({ code: 0, signal: null })
  })

  test('does not wait for idle connections, used or unused', async () => {
    const app = await startApp({ env: { DRAIN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: '10000' } })
    const sockets = await Promise.all([open(app), open(app)])
    sockets[1]?.write('GET /ping HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(sockets[1]!, 'data')
    app.signal('SIGTERM')
    // Waiting for them would give exit code 1 at the deadline.
    expect(await app.ended).toEqual({ code: 0, signal: null })
  })
})

test('SIGINT does not wait for the delay', async () => {
  const app = await startApp({ env: VERY_LONG })
  app.signal('SIGINT')
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

test('a second signal ends the process immediately, with 1', async () => {
  const app = await startApp({ env: VERY_LONG })
  app.signal('SIGTERM')
  await app.line({ message: 'draining' })
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 1, signal: null })
  expect(app.lines.at(-1)).toMatchObject({ 'log.level': 'error', message: 'cut' })
})

test('stores that hang do not delay the end of the process', async () => {
  const [database, redis] = await Promise.all([testPostgres(), testRedis()])
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    DRAIN_DELAY_MS: '0',
    HEALTH_INTERVAL_MS: '200',
    HEALTH_TIMEOUT_MS: '100',
    HEALTH_FALL: '100',
  }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  const app = await startApp({ env })
  await Promise.all(
    ['database', 'redis'].map((check) => app.line({ message: 'check ok', 'service.target.name': check })),
  )
  database.hang()
  redis.hang()
  // A query and a PING are in flight at the signal, and never get a response.
  const seen = new Set<unknown>()
  await until(async () => {
    seen.add((await fetchHealth(app)).checks['redis']?.checkedAt)
    return seen.size > 2
  })
  app.signal('SIGTERM')
  // Waiting for them would give exit code 1 at the deadline.
  expect(await app.ended).toEqual({ code: 0, signal: null })
  // The health check has replaced the connection to Redis, so the stop of Redis does not wait for a response.
  expect(app.lines).toContainEqual(expect.objectContaining({ message: 'part failed to stop', 'App.part': 'database' }))
  await Promise.all([database.stop(), redis.stop()])
})

test('a failed start waits for the requests of clients that have connected', async () => {
  // Node loads this file before the artifact. Its client connects as soon as the service listens.
  const client = join(temporaryDirectory('client'), 'client.cjs')
  writeFileSync(
    client,
    `const { connect, Server } = require('node:net')
     const { emit } = Server.prototype
     Server.prototype.emit = function (event, ...args) {
       if (event === 'listening') {
         const socket = connect(this.address().port, '127.0.0.1')
         socket.write('GET /ping HTTP/1.1\\r\\nhost:')
         socket.on('error', () => {}).pipe(process.stderr)
       }
       return emit.call(this, event, ...args)
     }`,
  )
  const taken = await listen(createServer())
  const env = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: String(taken.port), HEADERS_TIMEOUT_MS: '1500' }
  const { code, stdout, stderr } = await runApp([], { env, nodeOptions: `--require ${client}` })
  await taken.stop()
  expect(stderr).toMatch(/^HTTP\/1\.1 408/)
  expect(stdout).not.toContain('part failed to stop')
  expect(code).toBe(1)
})

describe('a crash', () => {
  /** Node loads this file before the artifact. */
  const crashOn = join(temporaryDirectory('crash'), 'crash.cjs')
  writeFileSync(
    crashOn,
    `process.on('SIGUSR2', () => { throw new Error('bug in postgres://app:hunter2@db/app') })
     process.on('SIGALRM', () => { Promise.reject(new Error('not handled')) })`,
  )

  test.each([
    ['an uncaught error', 'SIGUSR2', 'bug in postgres://***@db/app'],
    ['an unhandled rejection', 'SIGALRM', 'not handled'],
  ] as const)(
    '%s is logged with its cause, requests in flight finish, and the exit code is 1',
    async (_name, signal, message) => {
      const app = await startApp({ nodeOptions: `--require ${crashOn}` })
      const socket = await open(app)
      socket.write('GET /ping HTTP/1.1\r\nhost: x\r\n')
      await fetch(`${app.url}/ping`)
      app.signal(signal)
      expect(await app.line({ 'log.level': 'fatal' })).toMatchObject({
        message: 'crash',
        'error.message': message,
        'error.stack_trace': expect.stringContaining('at '),
      })
      socket.write('\r\n')
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 200/)
      expect(await app.ended).toEqual({ code: 1, signal: null })
      expect(JSON.stringify(app.lines)).not.toContain('hunter2')
    },
  )
})
