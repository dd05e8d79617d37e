import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { isNonblocking } from '../../test/support/fdinfo.ts'
import { bootMachine, findObstacle, type Machine } from '../../test/support/machine.ts'
import { freePort, testPostgres, until } from '../../test/support/services.ts'
import { underEachLoad } from '../../test/support/steady-load.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

const obstacle = await findObstacle()
if (obstacle !== undefined) {
  const message = `THE SYSTEMD UNITS WERE NOT TESTED.\n${obstacle}\n`
  if (process.env['CI'] === 'true') throw new Error(message)
  process.stderr.write(message)
}
// Tests wait for events. The timeout has room for a very busy machine.
jest.setTimeout(180_000)
const testWithSystemd = obstacle === undefined ? test : test.skip

const README = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
/** The path of the repository in the machine. */
const REPOSITORY = '/srv/my-service'
/** The folder of files that the artifact loads with `--require`. */
const SCRIPTS = '/srv/scripts'
const scripts = temporaryDirectory('systemd')

/** Maps the admin ports of the README to free ports. */
const ports = new Map<string, string>()
let instances: readonly string[] = []
let port = 0
let machine: Machine

beforeAll(async () => {
  if (obstacle !== undefined) return
  // The service runs as another user.
  chmodSync(scripts, 0o755)
  for (const name of ['9465', '9466', '9467']) ports.set(name, String(await freePort()))
  instances = [...ports.values()].map((name) => `app@${name}`)
  port = await freePort()
  machine = await bootMachine({
    [resolve('dist/app')]: `${REPOSITORY}/dist/app`,
    [import.meta.dirname]: `${REPOSITORY}/deploy/systemd`,
    [scripts]: SCRIPTS,
  })
  write('/etc/systemd/system/app.socket.d/port.conf', `[Socket]\nListenStream=\nListenStream=127.0.0.1:${port}\n`)
  write('/etc/app/app.env', 'DRAIN_DELAY_MS=500\n')
  await runCommands('Install')
}, 600_000)
afterAll(async () => {
  await machine?.[Symbol.asyncDispose]()
})

/** Writes a file of the machine. */
function write(path: string, content: string): void {
  mkdirSync(machine.path(join(path, '..')), { recursive: true })
  writeFileSync(machine.path(path), content)
}

/** Writes a file that the artifact loads before its own code. @returns the unit setting that loads the file */
function requireScript(name: string, code: string): string {
  writeFileSync(join(scripts, name), code, { mode: 0o644 })
  return `Environment=NODE_OPTIONS=--require=${SCRIPTS}/${name}`
}

/** Runs the commands of a section of the README. */
async function runCommands(section: string): Promise<string> {
  const commands = new RegExp(`^## ${section}\\n[^]*?\`\`\`sh\\n([^]*?)\`\`\``, 'm').exec(README)?.[1]
  if (commands === undefined) throw new Error(`README.md has no commands in its section ${section}`)
  const own = [...ports].reduce((changed, [from, to]) => changed.replaceAll(from, to), commands)
  return machine.succeed('sh', '-euc', `cd ${REPOSITORY}\n${own}`)
}

const systemctl = (...args: string[]) => machine.succeed('systemctl', ...args)

async function show(unit: string, property: string): Promise<string> {
  return (await systemctl('show', '--value', '--property', property, unit)).trim()
}

const WAIT_MS = 60_000
const waitFor = (unit: string, property: string, value: string) =>
  until(async () => (await show(unit, property)) === value, WAIT_MS)

const mainPids = () => Promise.all(instances.map((unit) => show(unit, 'MainPID')))

/** Reads the log lines of a unit that contain these fields. */
async function readLines(unit: string, fields: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>[]> {
  const journal = await machine.succeed('journalctl', '--output=cat', '--unit', unit)
  const lines = journal.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []))
  return lines.filter((line) => Object.entries(fields).every(([name, value]) => line[name] === value))
}

interface Instance extends AsyncDisposable {
  readonly unit: string
}

/** Adds an instance with further settings, without starting it. */
async function addInstance(...settings: readonly string[]): Promise<Instance> {
  const unit = `app@${await freePort()}`
  const directory = `/etc/systemd/system/${unit}.service.d`
  write(`${directory}/test.conf`, `[Service]\n${settings.join('\n')}\n`)
  await systemctl('daemon-reload')
  return {
    unit,
    async [Symbol.asyncDispose]() {
      await systemctl('stop', unit)
      rmSync(machine.path(directory), { recursive: true })
      await systemctl('daemon-reload')
      await machine.run('systemctl', 'reset-failed', unit)
    },
  }
}

const ping = async () => (await fetch(`http://127.0.0.1:${port}/ping`, { headers: { connection: 'close' } })).status

async function underLoad(title: string, action: () => Promise<unknown>) {
  const { sent, failures } = await underEachLoad({ port }, action)
  process.stderr.write(`${title}: ${sent.join(' + ')} requests, ${failures.length} failed\n`)
  return { sent, failures }
}

testWithSystemd('the units verify without a warning, and an invalid value causes one', async () => {
  const verify = (...units: string[]) => machine.run('systemd-analyze', 'verify', '--man=no', ...units)
  const [unit = ''] = instances
  expect(await verify('app.socket', 'app.service', `${unit}.service`)).toEqual({ code: 0, stdout: '', stderr: '' })
  await using invalid = await addInstance('NotifyAccess=everybody')
  expect((await verify(`${invalid.unit}.service`)).stderr).toContain('everybody')
})

testWithSystemd('the units agree with the configuration of the service', async () => {
  const [unit = ''] = instances
  const config = JSON.parse(await machine.succeed('/usr/local/bin/app', 'config'))
  const seconds = (await show(unit, 'TimeoutStopUSec')).replace(/s$/, '')
  expect(Number(seconds) * 1_000).toBeGreaterThan(config.SHUTDOWN_TIMEOUT_MS)
  expect(await show(unit, 'RestartPreventExitStatus')).toBe('64 78')
  expect(await show(unit, 'MemoryMax')).toBe(String(384 * 1024 ** 2))
  expect(await show(unit, 'Environment')).toContain('NODE_OPTIONS=--max-old-space-size-percentage=50')
  // journald must keep every line. With 0, it applies its default, which drops lines.
  expect(await show(unit, 'LogRateLimitIntervalUSec')).toBe('1s')
  expect(Number(await show(unit, 'LogRateLimitBurst'))).toBeGreaterThanOrEqual(100_000)
  // Someone may put a password into this file.
  expect(statSync(machine.path('/etc/app/app.env')).mode & 0o777).toBe(0o600)
  // The test of the watchdog sets a shorter period.
  expect(await show(unit, 'WatchdogUSec')).toBe('30s')
})

testWithSystemd('the first connection starts every enabled instance and is served', async () => {
  await systemctl('stop', 'app.socket')
  for (const unit of ['app.service', ...instances]) expect(await show(unit, 'ActiveState')).toBe('inactive')
  await expect(ping()).rejects.toThrow()
  await systemctl('start', 'app.socket')
  expect(await show('app.service', 'ActiveState')).toBe('inactive')
  expect(await ping()).toBe(200)
  for (const unit of instances) await waitFor(unit, 'ActiveState', 'active')
})

testWithSystemd('each instance serves its metrics on the port of its name', async () => {
  await ping()
  for (const name of ports.values()) {
    await waitFor(`app@${name}`, 'ActiveState', 'active')
    const response = await fetch(`http://127.0.0.1:${name}/metrics`)
    expect(await response.text()).toContain('service_phase{phase="serving"} 1')
  }
})

testWithSystemd('an instance becomes active when it is ready', async () => {
  // The process stops itself before it runs the code of the service.
  await using instance = await addInstance(requireScript('stop.cjs', `process.kill(process.pid, 'SIGSTOP')`))
  const { unit } = instance
  await systemctl('start', '--no-block', unit)
  await until(async () => {
    const pid = await show(unit, 'MainPID')
    return pid !== '0' && /\) T /.test(await machine.succeed('cat', `/proc/${pid}/stat`))
  })
  expect(await show(unit, 'ActiveState')).toBe('activating')
  await systemctl('kill', '--kill-who=main', '--signal=SIGCONT', unit)
  await waitFor(unit, 'ActiveState', 'active')
})

testWithSystemd(
  'an instance that cannot listen never becomes active, and its crashes do not close the socket',
  async () => {
    await using instance = await addInstance('Environment=LISTEN_FD=99', 'RestartSec=0')
    const { unit } = instance
    expect((await machine.run('systemctl', 'start', unit)).code).not.toBe(0)
    await until(async () => Number(await show(unit, 'NRestarts')) > 10, WAIT_MS)
    expect(await machine.succeed('journalctl', '--unit', unit)).not.toContain('Started')
    expect(await show('app.socket', 'ActiveState')).toBe('active')
    for (const other of instances) await systemctl('restart', other)
    expect(await ping()).toBe(200)
  },
)

testWithSystemd(
  'an instance that receives SIGTERM reports that it is stopping, finishes its request and is not restarted',
  async () => {
    await systemctl('stop', 'app.service')
    // The command does not wait for the instances, and an instance that drains still accepts connections.
    for (const each of instances) await waitFor(each, 'ActiveState', 'inactive')
    const [unit = ''] = instances
    await systemctl('start', unit)
    const socket = connect(port, '127.0.0.1')
    const unfinished = 'GET /ping HTTP/1.1\r\nhost: x\r\n'
    socket.write(`${unfinished}\r\n${unfinished}`)
    const [first] = await once(socket, 'data')
    expect(String(first)).toMatch(/^HTTP\/1\.1 200/)
    const second = text(socket)
    await machine.succeed('kill', '-TERM', await show(unit, 'MainPID'))
    await waitFor(unit, 'SubState', 'stop-sigterm')
    socket.write('\r\n')
    expect(await second).toMatch(/^HTTP\/1\.1 200/)
    await waitFor(unit, 'ActiveState', 'inactive')
    expect(await show(unit, 'Result')).toBe('success')
    expect(await show(unit, 'ExecMainStatus')).toBe('0')
    await systemctl('start', 'app.service')
    for (const each of instances) await waitFor(each, 'ActiveState', 'active')
  },
)

testWithSystemd('systemd restarts a killed instance, and the other instances keep their processes', async () => {
  const [killed = '', ...others] = instances
  const [, ...before] = await mainPids()
  await systemctl('kill', '--kill-who=main', '--signal=SIGKILL', killed)
  await waitFor(killed, 'NRestarts', '1')
  await waitFor(killed, 'ActiveState', 'active')
  expect(await Promise.all(others.map((unit) => show(unit, 'MainPID')))).toEqual(before)
})

testWithSystemd('neither systemd nor a connection restarts an instance with an invalid configuration', async () => {
  await using instance = await addInstance('Environment=HEALTH_INTERVAL_MS=long')
  const { unit } = instance
  expect((await machine.run('systemctl', 'start', unit)).code).not.toBe(0)
  await waitFor(unit, 'SubState', 'failed')
  expect(await show(unit, 'ExecMainStatus')).toBe('78')
  const started = await show(unit, 'ExecMainStartTimestampMonotonic')
  for (let request = 0; request < 50; request++) expect(await ping()).toBe(200)
  expect(await show(unit, 'ExecMainStartTimestampMonotonic')).toBe(started)
  expect(await show(unit, 'NRestarts')).toBe('0')
})

testWithSystemd(
  'the event loop feeds the watchdog, and systemd restarts an instance with a blocked event loop',
  async () => {
    const block = `process.on('SIGUSR2', () => { for (;;); })`
    await using instance = await addInstance(requireScript('block.cjs', block), 'WatchdogSec=4')
    const { unit } = instance
    await systemctl('start', unit)
    const fed = new Set<string>()
    await until(async () => fed.add(await show(unit, 'WatchdogTimestampMonotonic')).size > 3, WAIT_MS)
    expect(await show(unit, 'NRestarts')).toBe('0')
    await systemctl('kill', '--kill-who=main', '--signal=SIGUSR2', unit)
    await waitFor(unit, 'NRestarts', '1')
    await waitFor(unit, 'ActiveState', 'active')
    expect(await machine.succeed('journalctl', '--unit', unit)).toContain('Watchdog timeout')
  },
  90_000,
)

testWithSystemd('a reload reaches every instance and keeps its process', async () => {
  const before = await mainPids()
  await systemctl('reload', 'app.service')
  for (const [index, unit] of instances.entries()) {
    const reloaded = { message: 'settings reloaded', 'process.pid': Number(before[index]) }
    await until(async () => (await readLines(unit, reloaded)).length === 1, WAIT_MS)
  }
  expect(await mainPids()).toEqual(before)
})

testWithSystemd(
  'an instance has no capabilities and sees neither the files nor the processes of other users',
  async () => {
    for (const path of ['/opt/writable', '/home/somebody', '/tmp/of-somebody']) {
      await machine.succeed('install', '-d', '-m', '777', path)
    }
    const probe = `
    const { readFileSync, readdirSync, writeFileSync } = require('node:fs')
    const code = (action) => { try { action(); return 'allowed' } catch (error) { return error.code ?? error.message } }
    const status = readFileSync('/proc/self/status', 'utf8')
    console.error(JSON.stringify({
      message: 'sandbox',
      root: process.getuid() === 0,
      status: Object.fromEntries(['NoNewPrivs', 'CapEff', 'CapBnd'].map((name) =>
        [name, new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(status)[1]])),
      write: code(() => writeFileSync('/opt/writable/file', '')),
      writeTmp: code(() => writeFileSync('/tmp/file', '')),
      tmp: readdirSync('/tmp'),
      home: code(() => readdirSync('/home')),
      init: code(() => readFileSync('/proc/1/cmdline')),
      kernel: code(() => readFileSync('/proc/meminfo')),
      netlink: code(() => require('node:os').networkInterfaces()),
    }))`
    await using instance = await addInstance(requireScript('sandbox.cjs', probe))
    await systemctl('start', instance.unit)
    const [{ write, ...seen } = {}] = await readLines(instance.unit, { message: 'sandbox' })
    expect(write).toBe('EROFS')
    expect(seen).toEqual({
      message: 'sandbox',
      root: false,
      status: { NoNewPrivs: '1', CapEff: '0000000000000000', CapBnd: '0000000000000000' },
      writeTmp: 'allowed',
      tmp: ['file'],
      home: 'EACCES',
      init: 'ENOENT',
      kernel: 'ENOENT',
      netlink: 'ERR_SYSTEM_ERROR',
    })
  },
)

testWithSystemd('the exposure of an instance is at most 2 of 10', async () => {
  const [unit = ''] = instances
  const report = await machine.run('systemd-analyze', 'security', '--no-pager', '--threshold=20', `${unit}.service`)
  process.stderr.write(`${report.stdout.trim().split('\n').at(-1)}\n`)
  expect(report.stderr).toBe('')
  expect(report.code).toBe(0)
})

testWithSystemd('an instance uses its secrets, but cannot read the stored files', async () => {
  write(`${REPOSITORY}/database-url`, 'postgres://app:of-this-test@127.0.0.1:1/app')
  write(`${REPOSITORY}/redis-url`, 'redis://127.0.0.1:1')
  await runCommands('Secrets')
  try {
    const probe = `require('node:fs').readFile('/etc/app/secrets/database-url', (error) =>
      console.error(JSON.stringify({ message: 'secret', code: error?.code })))`
    await using instance = await addInstance(requireScript('secret.cjs', probe), 'Environment=DATABASE_CRITICAL=false')
    const { unit } = instance
    await systemctl('start', unit)
    await until(
      async () => (await readLines(unit, { message: 'check failed', 'service.target.name': 'database' })).length > 0,
      WAIT_MS,
    )
    expect(await readLines(unit, { message: 'secret' })).toEqual([{ message: 'secret', code: 'EACCES' }])
  } finally {
    rmSync(machine.path('/etc/systemd/system/app@.service.d'), { recursive: true })
    await systemctl('daemon-reload')
  }
})

testWithSystemd('README.md migrates the database with the stored secret', async () => {
  const database = await testPostgres()
  try {
    write('/etc/app/secrets/database-url', database.url)
    expect(await runCommands('Migrate the database')).toMatch(/^applied \d{14}-/)
  } finally {
    await database.stop()
  }
})

const ROUNDS = 7
testWithSystemd(
  'rolling restarts under load lose no request and refuse no connection',
  async () => {
    const { sent, failures } = await underLoad(`${ROUNDS * instances.length} rolling restarts`, async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const before = await mainPids()
        await runCommands('Replace a version')
        const after = await mainPids()
        for (const pid of before) expect(after).not.toContain(pid)
      }
    })
    expect(failures).toEqual([])
    for (const count of sent) expect(count).toBeGreaterThan(100)
  },
  120_000,
)

testWithSystemd(
  'a simultaneous restart of all instances loses no request: connections wait in the socket',
  async () => {
    const { sent, failures } = await underLoad('5 restarts of all instances', async () => {
      for (let round = 0; round < 5; round++) {
        const before = await mainPids()
        await systemctl('restart', 'app.service')
        for (const unit of instances) await waitFor(unit, 'ActiveState', 'active')
        for (const pid of await mainPids()) expect(before).not.toContain(pid)
      }
    })
    expect(failures).toEqual([])
    for (const count of sent) expect(count).toBeGreaterThan(100)
  },
  120_000,
)

testWithSystemd(
  'a version that does not start replaces one instance, and the other instances serve every request',
  async () => {
    const [broken = '', ...others] = instances
    const [, ...before] = await mainPids()
    write('/etc/app/app.env', 'DRAIN_DELAY_MS=long\n')
    const { failures } = await underLoad('a version that does not start', () => runCommands('Replace a version'))
    expect(failures).toEqual([])
    expect(await show(broken, 'ExecMainStatus')).toBe('78')
    expect(await Promise.all(others.map((unit) => show(unit, 'MainPID')))).toEqual(before)
    // In a blocking accept(2), an instance reads no request until the next connection arrives.
    expect(isNonblocking(await machine.succeed('cat', `/proc/${before[0]}/fdinfo/3`))).toBe(true)
    write('/etc/app/app.env', 'DRAIN_DELAY_MS=500\n')
    await systemctl('restart', broken)
  },
)
