import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, jest, test } from '@jest/globals'
import { healthOf, killApps, linesOf, type RunningApp, startApp } from './support/app.ts'
import { freePort, testRedis, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'
import { workersOf } from './support/workers.ts'

jest.setTimeout(60_000)

const directory = temporaryDirectory('new-environment')
const ENV_FILE = join(directory, 'app.env')
const write = (...lines: string[]) => writeFileSync(ENV_FILE, lines.join('\n'))

afterEach(killApps)

const bodyOf2KB = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(['x'.repeat(2_000)]),
}

/** Asks for a roll-out and resolves with its last line. */
async function rollOut(app: RunningApp) {
  const ends = () => [...linesOf(app, 'roll-out done'), ...linesOf(app, 'roll-out stopped')]
  const before = ends().length
  app.signal('SIGHUP')
  await until(() => ends().length > before)
  return ends().find((line) => !known.has(line) && known.add(line))
}
const known = new Set<unknown>()

test('SIGHUP brings in a new environment file whole, or not at all', async () => {
  write('BODY_LIMIT=1kb')
  const app = await startApp({ env: { WORKERS: '2', DRAIN_DELAY_MS: '0', ENV_FILE } })
  await app.line({ msg: 'serving', pid: app.pid })
  const post = async () => (await fetch(`${app.url}/ping`, bodyOf2KB)).status
  expect(await post()).toBe(413)

  write('BODY_LIMIT=10kb')
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out done' })
  expect(await post()).toBe(405)
  const workers = linesOf(app, 'worker ready').length

  write('BODY_LIMIT=much', 'LOG_LEVEL=loud')
  const problems = [expect.stringContaining('BODY_LIMIT: got "much"'), expect.stringContaining('LOG_LEVEL: got "loud"')]
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out stopped', level: 'error', problems })

  write('SHUTDOWN_TIMEOUT_MS=60000')
  const restart = { message: 'needs a restart: SHUTDOWN_TIMEOUT_MS' }
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out stopped', err: restart })

  rmSync(ENV_FILE)
  const gone = [expect.stringMatching(/ENV_FILE: .*\(ENOENT\)/)]
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out stopped', problems: gone })
  expect(linesOf(app, 'worker ready').length).toBe(workers)
  expect(await post()).toBe(405)
})

test('a dependency that cannot be reached under the new environment stops the roll-out, a good one is watched at once', async () => {
  write('')
  const redis = await testRedis()
  const app = await startApp({ env: { WORKERS: '2', DRAIN_DELAY_MS: '0', ENV_FILE } })
  await app.line({ msg: 'serving', pid: app.pid })

  write(`REDIS_URL=redis://127.0.0.1:${await freePort()}`)
  const err = { message: 'fails with the new configuration: redis' }
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out stopped', err })
  expect(await healthOf(app)).toMatchObject({ code: 200, checks: {} })

  write(`REDIS_URL=${redis.url}`)
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out done' })
  await until(async () => (await healthOf(app)).checks['redis']?.status === 'ok')
  expect(await healthOf(app)).toMatchObject({ code: 200 })

  await redis.stop()
  await until(async () => (await healthOf(app)).code === 503)
  // It is down already, so a new configuration makes nothing worse.
  expect(await rollOut(app)).toMatchObject({ msg: 'roll-out done' })
})

test('workers that die while every file is wrong are replaced by some with the values of the others', async () => {
  const SETTINGS_FILE = join(directory, 'settings.json')
  const secret = join(directory, 'redis-url')
  const redis = await testRedis()
  write('BODY_LIMIT=1kb')
  writeFileSync(SETTINGS_FILE, '{"HEALTH_DIALECT":"consul","REDIS_CRITICAL":false}')
  writeFileSync(secret, redis.url)
  const env = { WORKERS: '2', DRAIN_DELAY_MS: '0', ENV_FILE, SETTINGS_FILE, REDIS_URL_FILE: secret }
  const app = await startApp({ env })
  await app.line({ msg: 'serving', pid: app.pid })
  write('BODY_LIMIT=much')
  writeFileSync(SETTINGS_FILE, '{')
  rmSync(secret)
  await app.line({ msg: 'settings not reloaded', pid: app.pid })
  for (const pid of workersOf(app)) {
    process.kill(pid, 'SIGKILL')
    await app.line({ msg: 'worker died', worker: pid })
    await until(() => workersOf(app).length === 2)
  }
  expect((await fetch(`${app.url}/ping`, bodyOf2KB)).status).toBe(413)
  await redis.stop()
  // In that dialect it says that what fails is not critical.
  await until(async () => (await fetch(`${app.url}/health/ready`)).status === 429)
})
