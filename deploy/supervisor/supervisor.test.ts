import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startLoad } from '../../test/support/load.ts'
import { until } from '../../test/support/services.ts'
import { needTools } from '../../test/support/tools.ts'
import { freePorts, type Supervisor, startSupervisor } from './start-supervisor.ts'

const first = await freePorts(3)
const ports = [first, first + 1, first + 2]
const names = ports.map((port) => `app-${port}`)

let supervisor: Supervisor
/** Its programs are refused by the configuration. */
let invalid: Supervisor

const options = { file: 'app.conf', replace: { 'numprocs_start=8081': `numprocs_start=${first}` } }

beforeAll(async () => {
  await needTools(['supervisord', 'supervisorctl'], 'supervisor')
  supervisor = await startSupervisor({ ...options, env: { DRAIN_DELAY_MS: '500' } })
  // Begun here because supervisord takes its time with each try.
  invalid = await startSupervisor({ ...options, env: { DRAIN_DELAY_MS: 'long' } })
}, 300_000)
afterAll(() => Promise.all([supervisor[Symbol.asyncDispose](), invalid[Symbol.asyncDispose]()]))

async function allRun(): Promise<boolean> {
  const status = await supervisor.status()
  if (names.some((name) => status[name]?.state === 'FATAL')) throw new Error(supervisor.log())
  return names.every((name) => status[name]?.state === 'RUNNING')
}

test('three processes serve on three ports, and one that is killed is started again', async () => {
  await until(allRun)
  for (const port of ports) expect((await fetch(`http://127.0.0.1:${port}/ping`)).status).toBe(200)
  const [killed = '', ...others] = names
  const before = await supervisor.status()
  process.kill(before[killed]!.pid, 'SIGKILL')
  await until(async () => {
    const { pid } = (await supervisor.status())[killed]!
    return pid !== 0 && pid !== before[killed]!.pid
  })
  await until(allRun)
  const after = await supervisor.status()
  for (const name of others) expect(after[name]).toEqual(before[name])
})

test('a restart of one drains it to exit 0, answers what it has begun, and the others lose nothing', async () => {
  await until(allRun)
  const end = new AbortController()
  const [restarted = 0, ...others] = ports
  const loads = others.map((port) => startLoad({ port, clients: 4, signal: end.signal }))
  const socket = connect(restarted, '127.0.0.1')
  await once(socket, 'connect')
  const answer = text(socket)
  socket.write('POST /ping HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{')
  try {
    const done = supervisor.ctl('restart', `app:app-${restarted}`)
    await until(async () => (await supervisor.status())[`app-${restarted}`]?.state === 'STOPPING')
    socket.write('}')
    expect(await answer).toMatch(/^HTTP\/1\.1 405/)
    await done
  } finally {
    end.abort()
  }
  const reports = await Promise.all(loads)
  expect(supervisor.log()).toContain(`stopped: app-${restarted} (exit status 0)`)
  expect(reports.flatMap(({ failures }) => failures)).toEqual([])
  console.info(`one restart, two others: ${reports.map(({ sent }) => sent).join(' + ')} requests, 0 failed`)
  for (const { sent } of reports) expect(sent).toBeGreaterThan(50)
})

test('an invalid configuration is tried four times and not for ever', async () => {
  const settled = async () => {
    const programs = Object.values(await invalid.status())
    return programs.length === 3 && programs.every(({ state }) => ['FATAL', 'EXITED'].includes(state))
  }
  await until(settled, 25_000)
  const log = invalid.log()
  for (const name of names) {
    const tries = log.split(`spawned: '${name}'`).length - 1
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThanOrEqual(4)
    expect(log.split(`exited: ${name} (exit status 78`).length - 1).toBe(tries)
  }
})
