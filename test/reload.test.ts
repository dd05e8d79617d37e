import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { findLines, killApps, type RunningApp, startApp } from './support/app.ts'
import { freePort, until } from './support/services.ts'
import { startSteadyLoad } from './support/steady-load.ts'
import { temporaryDirectory } from './support/temporary.ts'

const directory = temporaryDirectory('reload')
const SETTINGS_FILE = join(directory, 'settings.json')

/** Replaces the file with a rename, because the service may read the file at any time. */
function write(content: object): void {
  writeFileSync(`${SETTINGS_FILE}.new`, JSON.stringify(content))
  renameSync(`${SETTINGS_FILE}.new`, SETTINGS_FILE)
}

afterEach(killApps)

const count = (app: RunningApp, message: string) => findLines(app, message).length

test('a reload on SIGHUP under load loses no request, and an invalid file changes nothing', async () => {
  write({ LOG_LEVEL: 'info' })
  const app = await startApp({ env: { SETTINGS_FILE } })
  const load = startSteadyLoad({ targets: [app], clients: 8, intervalMs: 5 })
  for (let reloads = 1; reloads <= 5; reloads++) {
    const served = count(app, 'request')
    await until(() => count(app, 'request') > served)
    write({ LOG_LEVEL: 'info', HEALTH_FALL: reloads + 2 })
    app.signal('SIGHUP')
    await until(() => count(app, 'settings reloaded') >= reloads)
  }
  write({ LOG_LEVEL: 'loud', PORT: 1 })
  app.signal('SIGHUP')
  expect(await app.line({ message: 'settings not reloaded' })).toMatchObject({
    'log.level': 'error',
    'error.message': expect.stringMatching(/PORT.*\n.*LOG_LEVEL/),
  })
  const served = count(app, 'request')
  await until(() => count(app, 'request') > served)
  expect((await load.stop()).failures).toEqual([])
})

test('a change of the log level, criticality or dialect in the file applies without a signal', async () => {
  write({})
  const env = { SETTINGS_FILE, REDIS_URL: `redis://127.0.0.1:${await freePort()}` }
  const app = await startApp({ env })
  const ready = async () => (await fetch(`${app.url}/health/ready`)).status
  await app.line({ message: 'check failed', 'service.target.name': 'redis' })
  expect(await ready()).toBe(503)
  write({ REDIS_CRITICAL: false, HEALTH_DIALECT: 'consul', LOG_LEVEL: 'warn' })
  await until(async () => (await ready()) === 429)
  const lines = count(app, 'request')
  await fetch(`${app.url}/ping`)
  write({ REDIS_CRITICAL: false, LOG_LEVEL: 'info' })
  await app.line({ message: 'settings reloaded' })
  await until(async () => (await ready()) === 200)
  await fetch(`${app.url}/ping`)
  await until(() => count(app, 'request') === lines + 1)
})

test('the file turns a rate limit and a feature on and off, and probes are not limited', async () => {
  write({})
  const app = await startApp({ env: { SETTINGS_FILE } })
  const status = async (path: string) => (await fetch(app.url + path)).status
  expect([await status('/version'), await status('/ping')]).toEqual([404, 200])
  write({ FEATURES: 'version', RATE_LIMIT: 3 })
  await app.line({ message: 'settings reloaded' })
  const response = await fetch(`${app.url}/version`)
  expect([response.status, response.headers.get('ratelimit-policy')]).toEqual([200, '"client";q=3;w=60'])
  expect(await response.json()).toMatchObject({
    name: 'my-service',
    version: expect.any(String),
  })
  expect([await status('/ping'), await status('/ping'), await status('/ping')]).toEqual([200, 200, 429])
  for (let probe = 0; probe < 5; probe++) expect(await status('/health/live')).toBe(200)
  write({ FEATURES: '', RATE_LIMIT: 0 })
  await until(async () => (await status('/version')) === 404)
  expect(await status('/ping')).toBe(200)
})
