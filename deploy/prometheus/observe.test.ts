import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { succeed } from '../../test/support/run.ts'
import { freePort, until } from '../../test/support/services.ts'
import { copyTree } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'

/* The recipe of make observe, in a copy of this tree with servers of its own. */

let observe: ChildProcess
let output = ''
let log = ''

beforeAll(() => needTools(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager'), 300_000)
afterAll(() => {
  if (observe?.exitCode === null && observe.signalCode === null) process.kill(-observe.pid!, 'SIGKILL')
})

function findUrl(pattern: RegExp): URL {
  const [url] = pattern.exec(output) ?? []
  if (url === undefined) throw new Error(`no ${pattern} in:\n${output}\n${log}`)
  return new URL(url)
}

test('make observe serves beside Prometheus and Alertmanager, and Ctrl-C ends every process', async () => {
  const root = copyTree('observe')
  // PostgreSQL does not run as root, and its user must reach the directory.
  chmodSync(root, 0o755)
  for (const part of ['deploy', 'test/support', 'dist/server.cjs']) {
    cpSync(part, join(root, part), { recursive: true })
  }
  const recipe = (await succeed('make', ['--dry-run', 'observe'])).trim().split('\n').at(-1)!
  observe = spawn('sh', ['-c', recipe], {
    cwd: root,
    // A terminal gives a command its own process group, and sends Ctrl-C to the whole group.
    detached: true,
    env: { ...process.env, PORT: String(await freePort()), DATABASE_URL: '', REDIS_URL: '', TMPDIR: root },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  observe.stderr!.on('data', (chunk) => (output += chunk))
  observe.stdout!.on('data', (chunk) => (log += chunk))
  const ended = once(observe, 'exit')
  await until(() => output.includes('Press Ctrl-C') || observe.exitCode !== null, 60_000)

  const admin = findUrl(/http\S+(?=\/metrics)/)
  const prometheus = findUrl(/http\S+(?=\/alerts {2}Prometheus)/)
  const alertmanager = findUrl(/http\S+(?= {2}Alertmanager)/)
  const query = new URL(
    '/api/v1/query?query=http_server_request_duration_seconds_count{http_route="/ping"}>5',
    prometheus,
  )
  const isScraped = async () => JSON.stringify(await (await fetch(query)).json()).includes('"http_route":"/ping"')
  await until(isScraped, 30_000)
  // A service may have no board.
  expect(/ {2}the board$/m.test(output)).toBe((await fetch(admin)).ok)
  expect(await (await fetch(new URL('/api/v1/rules', prometheus))).text()).toContain('LatencyP99High')
  expect(await (await fetch(new URL('/api/v1/alertmanagers', prometheus))).text()).toContain(
    alertmanager.host.split(':')[1],
  )
  expect((await fetch(new URL('/-/ready', alertmanager))).status).toBe(200)

  const service = findUrl(/http\S+(?=\/ping)/)
  const stores = [findUrl(/postgres:\S+/), findUrl(/redis:\S+/)]
  process.kill(-observe.pid!, 'SIGINT')
  expect(await ended).toEqual([0, null])
  for (const port of [service, admin, prometheus, alertmanager, ...stores].map(({ port }) => Number(port))) {
    expect(await freePort(port)).toBe(port)
  }
  expect(await succeed('ps', ['-A', '-o', 'args'])).not.toContain(root)
}, 120_000)
