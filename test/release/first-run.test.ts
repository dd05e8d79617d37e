import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { startRedis } from '../../scripts/services/redis.ts'
import { freePort, until } from '../support/services.ts'

/*
 * These tests run the commands of the README in its order, from a fresh clone, with an empty home, an empty npm cache
 * and the Node of the machine.
 */
jest.setTimeout(300_000)

let home: string
let temporary: string
let clone: string
let port: string
const started = new Set<ChildProcess>()

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'newcomer-'))
  // PostgreSQL does not run as root, and its user may not enter the home of root.
  temporary = mkdtempSync(join(tmpdir(), 'newcomer-tmp-'))
  chmodSync(temporary, 0o755)
  clone = join(home, 'my-service')
  execFileSync('git', ['clone', '--quiet', '.', clone])
  port = String(await freePort())
})
afterAll(async () => {
  for (const child of started)
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
  for (const directory of [home, temporary]) rmSync(directory, { recursive: true, force: true })
})

/** The PATH without the Node and the packages of this checkout. */
const PATH = process.env['PATH']!.split(delimiter)
  .filter((directory) => !directory.includes('.toolchain') && !directory.includes('node_modules'))
  .join(delimiter)

function make(target: string, env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => /^(npm_config_|SSL_|NODE_EXTRA_CA)/i.test(name)),
  )
  const child = spawn('make', [target], {
    cwd: clone,
    // A terminal gives a command its own process group, and sends Ctrl-C to the whole group.
    detached: true,
    env: { ...inherited, HOME: home, TMPDIR: temporary, PATH, PORT: port, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.add(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk
  })
  const ended = once(child, 'exit').then(([code]) => code as number)
  return { child, output, ended, interrupt: () => process.kill(-child.pid!, 'SIGINT') }
}

const get = (path: string) => fetch(`http://localhost:${port}${path}`).catch(() => undefined)
const hasStatus = async (path: string, status: number) => (await get(path))?.status === status

async function serving(run: ReturnType<typeof make>): Promise<void> {
  await until(() => run.output.stderr.includes('Press Ctrl-C') || run.child.exitCode !== null, 300_000)
  if (run.child.exitCode !== null) throw new Error(`make ended early:\n${run.output.stderr}`)
}

const findUrl = (scheme: string, output: string) => new URL(new RegExp(`${scheme}://\\S+`).exec(output)![0])

const readme = readFileSync('README.md', 'utf8')

/** Lists the requests of the README, in blocks of commands and in items of lists. */
const listRequests = () =>
  [...readme.matchAll(/^(?:\s*`)?(curl localhost:8080.*?)(?:`|\s+#|$)/gm)].map(([, command = '']) => command)

test('these tests or CI run every command of the README', () => {
  const blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
  const commands = blocks.flatMap((block) => block.trim().split('\n')).map((line) => line.split(/\s+#/)[0]!.trim())
  expect(commands).toEqual([
    'make run',
    'curl localhost:8080/ping',
    'curl localhost:8080/health',
    // The tests of the template run these two commands in a clone.
    'make init NAME=orders',
    "make resource NAME=invoice FIELDS='number:string:unique,total:int'",
    'make dev',
    'make test',
    'make build',
    './dist/app config',
    './dist/app version',
    'make image',
  ])
  expect(readFileSync('.ci/run', 'utf8')).toMatch(/^make test$/m)
})

test('make alone lists every target with one line', () => {
  const output = execFileSync('make', { cwd: clone, encoding: 'utf8', env: { PATH } })
  for (const target of ['run', 'test', 'dev', 'build', 'image', 'lint', 'fmt', 'bench', 'clean']) {
    expect(output).toMatch(new RegExp(`^  make ${target} +\\S.{10,}$`, 'm'))
  }
})

test('make run without npm prints the software to install', () => {
  const bin = join(home, 'bin')
  mkdirSync(bin)
  for (const tool of ['sh', 'cat', 'dirname', 'sed', 'sort', 'find', 'git', 'mkdir', 'make', 'cmp']) {
    execFileSync('ln', ['-s', execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bin, tool)])
  }
  const run = () => execFileSync('make', ['run'], { cwd: clone, encoding: 'utf8', env: { PATH: bin }, stdio: 'pipe' })
  expect(run).toThrow(/npm is required but is not on the PATH\.\nInstall Node\.js 20 or later with npm/)
})

test('make run installs and serves, survives a restart of Redis, and Ctrl-C ends every process', async () => {
  const run = make('run')
  await serving(run)
  expect(await (await get('/ping'))!.json()).toEqual({ message: 'pong' })
  await until(() => hasStatus('/health', 200))
  expect(await (await get('/health'))!.json()).toMatchObject({
    status: 'ok',
    checks: { database: { status: 'ok' }, redis: { status: 'ok' } },
  })
  for (const command of listRequests()) {
    const response = execFileSync('sh', ['-c', `${command.replace('8080', port)} --silent --fail`], {
      encoding: 'utf8',
    })
    expect({ command, response: JSON.parse(response) }).toEqual({ command, response: expect.any(Object) })
  }

  const [, pid] = /"process.pid":(\d+)/.exec(run.output.stdout)!
  const redis = findUrl('redis', run.output.stderr)
  connect(Number(redis.port), '127.0.0.1')
    .end('SHUTDOWN NOSAVE\r\n')
    .on('error', () => {})
  await until(() => hasStatus('/health', 503))
  expect(await (await get('/health'))!.json()).toMatchObject({
    checks: { database: { status: 'ok' }, redis: { status: 'fail' } },
  })
  expect(await hasStatus('/health/live', 200)).toBe(true)
  const again = await startRedis({ directory: join(home, 'redis'), port: Number(redis.port) })
  await until(() => hasStatus('/health', 200))
  expect(new Set(run.output.stdout.match(/"process.pid":\d+/g))).toEqual(new Set([`"process.pid":${pid}`]))
  await again.stop()

  run.interrupt()
  await run.ended
  expect(run.output.stdout).toContain('"message":"stopped"')
  const database = findUrl('postgres', run.output.stderr)
  expect(await freePort(Number(database.port))).toBe(Number(database.port))
})

test('the second make run is healthy within 3 seconds', async () => {
  const startedAt = performance.now()
  const run = make('run')
  await until(() => hasStatus('/health', 200), 60_000)
  const elapsed = performance.now() - startedAt
  run.interrupt()
  await run.ended
  console.info(`the second make run was healthy after ${elapsed.toFixed(0)} ms`)
  expect(elapsed).toBeLessThan(3_000)
})

test('a killed make run leaves no process running', async () => {
  const run = make('run')
  await serving(run)
  const ports = [port, findUrl('redis', run.output.stderr).port, findUrl('postgres', run.output.stderr).port].map(
    Number,
  )
  process.kill(-run.child.pid!, 'SIGKILL')
  await run.ended
  for (const each of ports) await until(async () => (await freePort(each)) === each)
})

test('make dev restarts on save, with readable logs', async () => {
  const run = make('dev')
  await serving(run)
  expect(run.output.stdout).toMatch(/INFO.*: listening/)
  const handler = join(clone, 'internal/handler/ping.ts')
  // Editors replace a file when they save it. The second replacement finds watchers that still watch the old file.
  for (const message of ['pong-1', 'pong-2']) {
    writeFileSync(`${handler}.new`, readFileSync(handler, 'utf8').replaceAll(/pong(-\d)?/g, message))
    renameSync(`${handler}.new`, handler)
    await until(async () => (await (await get('/ping'))?.text().catch(() => ''))?.includes(message) === true)
  }
  run.interrupt()
  await run.ended
  execFileSync('git', ['checkout', '--quiet', '.'], { cwd: clone })
})

test('make build builds both artifacts, and a second build gives an identical bundle', async () => {
  const build = make('build')
  expect(await build.ended).toBe(0)
  const app = (command: string) =>
    execFileSync(join(clone, 'dist/app'), [command], { cwd: home, encoding: 'utf8', env: {} })
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim()
  expect(app('version')).toContain(`(commit ${commit}, `)
  expect(JSON.parse(app('config'))).toMatchObject({ PORT: 8080 })
  const first = readFileSync(join(clone, 'dist/server.cjs'))
  rmSync(join(clone, 'dist'), { recursive: true })
  expect(await make('build').ended).toBe(0)
  expect(readFileSync(join(clone, 'dist/server.cjs')).equals(first)).toBe(true)
})
