import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, jest, test } from '@jest/globals'
import pg from 'pg'
import { killApps, linesOf, runApp, startApp } from './support/app.ts'
import { startLoad } from './support/load.ts'
import { rollOut } from './support/roll-out.ts'
import { freePort, testPostgres, testRedis, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'
import { alive, statusesOf, workersOf } from './support/workers.ts'

jest.setTimeout(120_000)
afterEach(killApps)

const start = (env: Readonly<Record<string, string>>) =>
  startApp({ env: { WORKERS: '2', DRAIN_DELAY_MS: '0', ...env } })

test('replacing all workers under load loses no request', async () => {
  const app = await start({ DRAIN_DELAY_MS: '100' })
  expect(await rollOut(app, 3)).toMatchObject({ failures: [] })
})

test('a worker that is killed is replaced, while the others serve', async () => {
  const app = await start({})
  await app.line({ msg: 'serving', pid: app.pid })
  const [first = 0] = workersOf(app)
  process.kill(first, 'SIGKILL')
  expect(await app.line({ msg: 'worker died', worker: first })).toMatchObject({ level: 'error', signal: 'SIGKILL' })
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  await until(() => workersOf(app).length === 2)
  expect(workersOf(app)).not.toContain(first)
})

test('a new artifact that does not become ready stops the roll-out, and the old workers go on', async () => {
  const artifact = join(temporaryDirectory('roll-out'), 'server.cjs')
  copyFileSync('dist/server.cjs', artifact)
  const replaceBy = (source: string | Buffer) => {
    writeFileSync(`${artifact}.new`, source)
    renameSync(`${artifact}.new`, artifact)
  }
  const app = await startApp({ program: [process.execPath, artifact], env: { WORKERS: '2', DRAIN_DELAY_MS: '0' } })
  await app.line({ msg: 'serving', pid: app.pid })
  const before = workersOf(app)
  replaceBy('process.exit(1)')
  app.signal('SIGHUP')
  expect(await app.line({ msg: 'roll-out stopped' })).toMatchObject({ level: 'error' })
  expect(workersOf(app)).toEqual(before)
  expect(before.every(alive)).toBe(true)
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
  replaceBy(readFileSync('dist/server.cjs'))
  app.signal('SIGHUP')
  await app.line({ msg: 'roll-out done' })
  expect(workersOf(app).some((pid) => before.includes(pid))).toBe(false)
})

test('health is one answer: one set of checks for all workers, and every worker says the same', async () => {
  const [database, redis] = await Promise.all([testPostgres(), testRedis()])
  const app = await start({
    WORKERS: '3',
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SERVICE_NAME: 'orders',
  })
  await until(async () => (await fetch(`${app.url}/health/ready`)).ok)
  const admin = new pg.Client(database.url)
  await admin.connect()
  const { rowCount } = await admin.query(`select from pg_stat_activity where application_name = 'orders health'`)
  expect(rowCount).toBe(1)
  await admin.end()
  expect(await statusesOf(app, '/health')).toEqual(new Set([200]))
  await redis.kill()
  await app.line({ msg: 'check failed', check: 'redis' })
  await until(async () => !(await statusesOf(app, '/health')).has(200))
  expect(await statusesOf(app, '/health/ready')).toEqual(new Set([503]))
  expect(await statusesOf(app, '/health/live')).toEqual(new Set([200]))
  expect(linesOf(app, 'check failed').filter(({ check }) => check === 'redis')).toHaveLength(1)
  await Promise.all([database.stop(), redis.stop()])
})

test('SIGTERM makes all of it not ready, drains every worker, and ends with 0', async () => {
  const app = await start({ DRAIN_DELAY_MS: '1000' })
  await app.line({ msg: 'serving', pid: app.pid })
  const workers = workersOf(app)
  const end = new AbortController()
  const load = startLoad({ port: app.port, clients: 8, signal: end.signal })
  await until(() => linesOf(app, 'request').length > 50)
  app.signal('SIGTERM')
  await Promise.all(workers.map((pid) => app.line({ msg: 'draining', pid })))
  for (let i = 0; i < 6; i++) expect((await fetch(`${app.url}/health/ready`)).status).toBe(503)
  end.abort()
  expect((await load).failures).toEqual([])
  expect(await app.ended).toEqual({ code: 0, signal: null })
  expect(workers.some(alive)).toBe(false)
})

test('SIGINT to the whole group, as a terminal sends it, ends it without the delay and cleanly', async () => {
  const app = await start({ DRAIN_DELAY_MS: '20000' })
  await app.line({ msg: 'serving', pid: app.pid })
  for (const pid of [...workersOf(app), app.pid]) process.kill(pid, 'SIGINT')
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

test('workers do not outlive a primary that was killed', async () => {
  const app = await start({})
  await app.line({ msg: 'serving', pid: app.pid })
  const workers = workersOf(app)
  app.signal('SIGKILL')
  await until(() => !workers.some(alive))
})

test('a port that is taken is exit 1, not a loop', async () => {
  const server = createServer().listen(await freePort(), '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const { code, stdout } = await runApp([], { env: { HOST: '127.0.0.1', PORT: String(port), WORKERS: '2' } })
  server.close()
  expect(code).toBe(1)
  expect(stdout).toContain(`port ${port} on 127.0.0.1 is taken`)
})

test('auto is one worker a processor', async () => {
  const processors = Number(execFileSync(process.execPath, ['-p', 'os.availableParallelism()'], { encoding: 'utf8' }))
  const { stdout } = await runApp(['config'], { env: { WORKERS: 'auto' } })
  expect(JSON.parse(stdout)).toMatchObject({ WORKERS: processors })
})
