import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from '../support/app.ts'
import { startLoad } from '../support/load.ts'
import { rollOut } from '../support/roll-out.ts'
import { endManagers, type ServiceManager, startManager } from '../support/service-manager.ts'
import { freePort, until } from '../support/services.ts'
import { needTools } from '../support/tools.ts'
import { workersOf } from '../support/workers.ts'

beforeAll(() => needTools(['systemd-socket-activate', 'systemd-notify', 'python3'], 'systemd python3'), 300_000)
afterEach(() => Promise.all([endManagers(), killApps()]))

test('systemd-socket-activate starts it for the first connection, which is answered', async () => {
  const port = await freePort()
  const args = [`--listen=127.0.0.1:${port}`, '--setenv=PORT=1', '--setenv=DRAIN_DELAY_MS=0', resolve('dist/app')]
  const activator = spawn('systemd-socket-activate', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    const closed = once(activator, 'close')
    const log = text(activator.stdout)
    await once(activator.stderr, 'data')
    const answer = await fetch(`http://127.0.0.1:${port}/ping`)
    expect(await answer.json()).toEqual({ message: 'pong' })
    // It became the service, so this is the service's end.
    activator.kill('SIGTERM')
    expect(await closed).toEqual([0, null])
    expect(await log).toContain('"msg":"stopped"')
  } finally {
    activator.kill('SIGKILL')
  }
})

/** The service on a socket that was handed over, with these settings. */
async function activate(...settings: readonly string[]): Promise<RunningApp> {
  const port = await freePort()
  const given = settings.map((setting) => `--setenv=${setting}`)
  const program = ['systemd-socket-activate', `--listen=127.0.0.1:${port}`, ...given, resolve('dist/app')]
  const starting = startApp({ program, env: { PATH: process.env['PATH'] ?? '' } })
  await until(async () => (await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined))?.ok === true)
  return starting
}

test('roll-outs of WORKERS that share a socket that was handed over lose no request', async () => {
  const { sent, failures } = await rollOut(await activate('WORKERS=2', 'DRAIN_DELAY_MS=100'), 5)
  expect(failures).toEqual([])
  expect(sent).toBeGreaterThan(100)
}, 60_000)

test('a socket that was handed over outlives all WORKERS: who connects while there is none waits for the next', async () => {
  const app = await activate('WORKERS=2', 'DRAIN_DELAY_MS=0')
  await app.line({ msg: 'serving', pid: app.pid })
  const before = workersOf(app)
  for (const pid of before) process.kill(pid, 'SIGKILL')
  for (const worker of before) await app.line({ msg: 'worker died', worker })
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  await until(() => workersOf(app).length === 2)
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

/** Starts it and restarts it so many times, each when it is ready. */
async function restart(manager: ServiceManager, times: number): Promise<void> {
  for (let start = 0; start <= times; start++) {
    manager.start()
    await manager.next({ state: 'READY=1' })
    if (start === times) break
    manager.signal('SIGTERM')
    expect(await manager.next({ event: 'ended' })).toMatchObject({ code: 0 })
  }
}

test('restarts of WORKERS that share a socket refuse nobody', async () => {
  const env = { WORKERS: '2', DRAIN_DELAY_MS: '100', LOG_LEVEL: 'silent' }
  const manager = await startManager({ socket: true, env })
  const end = new AbortController()
  const load = startLoad({ port: manager.port, signal: end.signal, clients: 8, keepAlive: false })
  try {
    await restart(manager, 5)
  } finally {
    end.abort()
  }
  const { sent, failures } = await load
  expect(failures).toEqual([])
  expect(sent).toBeGreaterThan(100)
}, 60_000)

const RESTARTS = 20
test(`${RESTARTS} restarts under load lose no request and refuse no connection`, async () => {
  const manager = await startManager({ socket: true, env: { DRAIN_DELAY_MS: '200', LOG_LEVEL: 'silent' } })
  const end = new AbortController()
  const common = { port: manager.port, signal: end.signal }
  // From before the first process on: what connects while there is none waits for the next.
  const loads = [
    startLoad({ ...common, clients: 8 }),
    startLoad({ ...common, clients: 4, method: 'POST' }),
    startLoad({ ...common, clients: 4, method: 'POST', keepAlive: false }),
  ]
  try {
    await restart(manager, RESTARTS)
  } finally {
    end.abort()
  }
  const reports = await Promise.all(loads)
  const failures = reports.flatMap((report) => report.failures)
  const sent = reports.map((report) => report.sent).join(' + ')
  const slowestMs = Math.max(...reports.map((report) => report.slowestMs)).toFixed(0)
  console.info(`${RESTARTS} restarts: ${sent} requests, ${failures.length} failed, slowest ${slowestMs} ms`)
  expect(failures).toEqual([])
  for (const report of reports) expect(report.sent).toBeGreaterThan(10 * RESTARTS)
}, 60_000)
