import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { run, succeed } from '../support/run.ts'
import { endManagers, type ManagerEvent, startManager } from '../support/service-manager.ts'
import { freePort } from '../support/services.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { needTools } from '../support/tools.ts'

const directory = temporaryDirectory('systemd')

beforeAll(() => needTools(['systemd-analyze', 'systemd-notify', 'python3'], 'systemd python3'), 300_000)
afterEach(endManagers)

describe('the units', () => {
  const executable = resolve('dist/app')
  const service = readFileSync('deploy/systemd/app@.service', 'utf8')

  /** The units as they are installed, but for the place of the executable, which is looked for. */
  function install(text: string): string {
    const units = mkdtempSync(join(directory, 'units-'))
    const dropIns = join(units, 'app@.service.d')
    mkdirSync(dropIns)
    copyFileSync('deploy/systemd/secrets.conf', join(dropIns, 'secrets.conf'))
    copyFileSync('deploy/systemd/app@.socket', join(units, 'app@.socket'))
    writeFileSync(join(units, 'app@.service'), text.replace('/usr/local/bin/app', executable))
    return units
  }

  const verify = (units: string) =>
    run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=yes', 'app@8081.service', 'app@8081.socket'], {
      env: { SYSTEMD_UNIT_PATH: `${units}:` },
    })

  test('verify without a word, and a setting that systemd does not know would not', async () => {
    expect(await verify(install(service))).toEqual({ code: 0, stdout: '', stderr: '' })
    const { stderr } = await verify(install(service.replace('NotifyAccess=all', 'NotifyAccess=everybody')))
    expect(stderr).toContain('everybody')
  })

  test('leave an exposure of at most 2 of 10', async () => {
    const units = install(service)
    const report = await run('systemd-analyze', [
      ...['security', '--offline=yes', '--no-pager', '--threshold=20'],
      join(units, 'app@.service'),
    ])
    console.info(report.stdout.trim().split('\n').at(-1))
    expect(report.code).toBe(0)
  })

  test('agree with the service: exit codes, time to stop, notifications', async () => {
    const config = JSON.parse(await succeed(executable, ['config']))
    const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(service)?.[1]
    expect(Number(setting('TimeoutStopSec')) * 1_000).toBeGreaterThan(config.SHUTDOWN_TIMEOUT_MS)
    expect(setting('RestartPreventExitStatus')).toBe('64 78')
    expect(setting('NotifyAccess')).toBe('all')
  })
})

describe('notifications, on a real datagram socket', () => {
  const states = (events: readonly ManagerEvent[]) =>
    events.flatMap((event) => (event.event === 'notified' && event.state !== 'BARRIER=1' ? event.state : []))

  test('READY=1 when it can be asked, STOPPING=1 on SIGTERM', async () => {
    const port = await freePort()
    const manager = await startManager({ env: { PORT: String(port), DRAIN_DELAY_MS: '200' } })
    manager.start()
    await manager.next({ state: 'READY=1' })
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200)
    expect(states(manager.events)).toEqual(['READY=1'])
    manager.signal('SIGTERM')
    await manager.next({ state: 'STOPPING=1' })
    expect(await manager.next({ event: 'ended' })).toMatchObject({ code: 0 })
    expect(states(manager.events)).toEqual(['READY=1', 'STOPPING=1'])
  })

  test('no READY=1 from a service that cannot listen', async () => {
    await using taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const manager = await startManager({ env: { PORT: String(port) } })
    manager.start()
    expect(await manager.next({ event: 'ended' })).toMatchObject({ code: 1 })
    expect(states(manager.events)).toEqual([])
  })

  test('WATCHDOG=1 comes in time, and not while the event loop is blocked', async () => {
    const watchdogMs = 1_000
    const blockedMs = 2_500
    const block = join(directory, 'block.cjs')
    writeFileSync(
      block,
      `process.on('SIGUSR2', () => { for (const end = Date.now() + ${blockedMs}; Date.now() < end;); })`,
    )
    const env = { PORT: '0', WATCHDOG_USEC: String(watchdogMs * 1_000), NODE_OPTIONS: `--require ${block}` }
    const manager = await startManager({ env })
    const fed = () => manager.next({ state: 'WATCHDOG=1' })
    manager.start()
    const before = [await fed(), await fed(), await fed()]
    manager.signal('SIGUSR2')
    const after = [await fed(), await fed(), await fed()]
    const times = [...before, ...after].map(({ atMs }) => atMs)
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    console.info(`pauses between WATCHDOG=1: ${pauses.map((pause) => pause.toFixed(0)).join(', ')} ms`)
    for (const pause of pauses.slice(0, 2)) expect(pause).toBeLessThan(watchdogMs)
    // A manager would have ended it; it lives, and what it says when it can again is true again.
    expect(Math.max(...pauses)).toBeGreaterThan(blockedMs - watchdogMs / 2)
  })
})
