import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { isNonblocking } from '../../test/support/fdinfo.ts'
import { succeed } from '../../test/support/run.ts'
import { until } from '../../test/support/services.ts'
import { startSteadyLoad } from '../../test/support/steady-load.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'
import { type Supervisor, startSupervisor } from './start-supervisor.ts'

let supervisor: Supervisor
/** Runs programs with an invalid configuration. */
let invalid: Supervisor

beforeAll(async () => {
  await needTools(['supervisord', 'supervisorctl'], 'supervisor')
  supervisor = await startSupervisor({ env: { DRAIN_DELAY_MS: '500' } })
  // The programs fail while the other tests run, because supervisord waits between its attempts.
  invalid = await startSupervisor({ env: { DRAIN_DELAY_MS: 'long' } })
}, 300_000)
afterAll(() => Promise.all([supervisor[Symbol.asyncDispose](), invalid[Symbol.asyncDispose]()]))

test('two processes serve on one socket, and supervisord restarts a killed process', async () => {
  await supervisor.waitUntilAllRun()
  expect((await fetch(`http://127.0.0.1:${supervisor.port}/ping`)).status).toBe(200)
  const [killed = '', other = ''] = supervisor.names
  const before = await supervisor.status()
  process.kill(before[killed]!.pid, 'SIGKILL')
  await until(async () => {
    const { pid } = (await supervisor.status())[killed]!
    return pid !== 0 && pid !== before[killed]!.pid
  })
  await supervisor.waitUntilAllRun()
  expect((await supervisor.status())[other]).toEqual(before[other])
})

test('a process that ends leaves the socket nonblocking for the other process', async () => {
  await using two = await startSupervisor({})
  await two.waitUntilAllRun()
  const [stopped = '', other = ''] = two.names
  await two.ctl('stop', `app:${stopped}`)
  const { pid } = (await two.status())[other]!
  expect(isNonblocking(readFileSync(`/proc/${pid}/fdinfo/3`, 'utf8'))).toBe(true)
})

test('each process serves its metrics on its own port', async () => {
  await supervisor.waitUntilAllRun()
  for (const port of supervisor.adminPorts) {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    expect(await response.text()).toContain('service_phase{phase="serving"} 1')
  }
})

test('the name of each of eleven processes ends in its admin port', async () => {
  await using many = await startSupervisor({ numprocs: 11, command: '/usr/bin/printenv ADMIN_PORT' })
  await until(() => many.names.every((name) => many.programLog(name) !== ''))
  const printed = many.names.map((name) => many.programLog(name).split('\n', 1)[0])
  expect(printed).toEqual(many.adminPorts.map(String))
})

test('a process that restarts finishes its requests and exits with 0, and no client loses a request', async () => {
  await supervisor.waitUntilAllRun()
  const load = startSteadyLoad({ targets: [supervisor], clients: 8, intervalMs: 5 })
  const socket = connect(supervisor.port, '127.0.0.1').setEncoding('utf8')
  // The kernel chooses the process that accepts the connection. The log of this process has the first request.
  const id = 'which-process'
  socket.write(`GET /ping HTTP/1.1\r\nhost: x\r\nx-request-id: ${id}\r\n\r\n`)
  await once(socket, 'data')
  const findProcess = () => supervisor.names.find((name) => supervisor.programLog(name).includes(id))
  await until(() => findProcess() !== undefined)
  const restarted = findProcess()!
  const response = text(socket)
  socket.write('GET /ping HTTP/1.1\r\nhost: x\r\n')
  try {
    const done = supervisor.ctl('restart', `app:${restarted}`)
    await until(async () => (await supervisor.status())[restarted]?.state === 'STOPPING')
    socket.write('\r\n')
    expect(await response).toMatch(/^HTTP\/1\.1 200/)
    await done
  } finally {
    await load.stop()
  }
  const { failures } = await load.stop()
  expect(supervisor.log()).toContain(`stopped: ${restarted} (exit status 0)`)
  expect(failures).toEqual([])
  console.info(`one restart of two processes: ${load.sent()} requests, 0 failed`)
  expect(load.sent()).toBeGreaterThan(100)
})

test('the user of the processes cannot replace the logs, which supervisord opens as root', async () => {
  const [, directory = ''] = /^stdout_logfile=(.*)\//m.exec(readFileSync('deploy/supervisor/app.conf', 'utf8')) ?? []
  const install = new RegExp(`install -d.* ${directory}$`, 'm')
  const [command = ''] = install.exec(readFileSync('deploy/supervisor/README.md', 'utf8')) ?? []
  const made = join(temporaryDirectory('supervisor'), 'log')
  await succeed('sh', ['-ec', command.replace(directory, made)])
  const { uid, mode } = statSync(made)
  expect([uid, mode & 0o022]).toEqual([process.getuid?.(), 0])
})

test('a program with an invalid configuration starts at most four times', async () => {
  const settled = async () => {
    const programs = Object.values(await invalid.status())
    return (
      programs.length === invalid.names.length && programs.every(({ state }) => ['FATAL', 'EXITED'].includes(state))
    )
  }
  await until(settled, 25_000)
  const log = invalid.log()
  for (const name of invalid.names) {
    const tries = log.split(`spawned: '${name}'`).length - 1
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThanOrEqual(4)
    expect(log.split(`exited: ${name} (exit status 78`).length - 1).toBe(tries)
  }
})
