import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { createClient } from '@redis/client'
import { startRedis } from '../scripts/services/redis.ts'
import { run } from './support/run.ts'
import { freePort, until } from './support/services.ts'
import { copyTree, temporaryDirectory } from './support/temporary.ts'

/*
 * These tests run make dev in a copy of this tree, with stores that do not exist.
 */

jest.setTimeout(180_000)

let root: string
let dev: ChildProcess
let output = ''
let url: string
let inspectorPort: number

beforeAll(async () => {
  root = copyTree('development')
  const port = await freePort()
  inspectorPort = await freePort()
  url = `http://127.0.0.1:${port}`
  dev = spawn(process.execPath, ['scripts/run.ts', '--watch'], {
    cwd: root,
    env: {
      ...process.env,
      NODE_ENV: 'development',
      PORT: String(port),
      ADMIN_PORT: '0',
      INSPECT: String(inspectorPort),
      DATABASE_URL: 'postgres://127.0.0.1:1/none',
      REDIS_URL: 'redis://127.0.0.1:1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [dev.stdout, dev.stderr]) stream?.on('data', (chunk) => (output += chunk))
  await until(() => output.includes('Press Ctrl-C') || dev.exitCode !== null, 60_000)
})
afterAll(async () => {
  if (dev.exitCode !== null || dev.signalCode !== null) return
  // The service ends with the process that started it.
  dev.kill('SIGKILL')
  await once(dev, 'exit')
})

async function get(path: string): Promise<{ readonly message?: string; readonly service?: string }> {
  // A stopped process accepts connections without a response.
  const response = await fetch(url + path, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
  return (response?.json().catch(() => ({})) as ReturnType<typeof get>) ?? {}
}

/** Replaces the whole file, as editors do. */
function save(file: string, change: (text: string) => string): void {
  const path = join(root, file)
  writeFileSync(`${path}.new`, change(readFileSync(path, 'utf8')))
  renameSync(`${path}.new`, path)
}

async function saveMessage(message: string): Promise<void> {
  save('internal/handler/ping.ts', (text) => text.replaceAll(/'pong[\w-]*'/g, `'${message}'`))
  await until(async () => (await get('/ping')).message === message, 60_000)
}

/** Evaluates an expression in the process that listens on the port of the debugger. */
async function evaluate(expression: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${inspectorPort}/json/list`)
  const [target, ...others] = (await response.json()) as { webSocketDebuggerUrl: string }[]
  expect(others).toEqual([])
  const socket = new WebSocket(target!.webSocketDebuggerUrl)
  await once(socket, 'open')
  socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression, returnByValue: true } }))
  const [{ data }] = await once(socket, 'message')
  socket.close()
  await once(socket, 'close')
  return JSON.parse(data).result.result.value
}

const inspectService = async () =>
  (await evaluate('({ pid: process.pid, parent: process.ppid, script: process.argv[1] })')) as {
    readonly pid: number
    readonly parent: number
    readonly script: string
  }

test('make dev prints the pages and the requests to try', () => {
  const served = url.replace('127.0.0.1', 'localhost')
  expect(output).toContain(`  ${served}/ and ${served}/docs in a browser\n`)
  expect(output).toContain(`  curl ${served}/ping\n`)
})

test('a second make dev says that the port is taken, and how to choose another port', async () => {
  const { port } = new URL(url)
  const env = { PORT: port, NODE_ENV: 'development' }
  expect(await run(process.execPath, ['scripts/run.ts', '--watch'], { cwd: root, env })).toMatchObject({
    code: 1,
    stderr: `port ${port} is taken: stop the other process, or choose another port (PORT=8081 make dev)\n`,
  })
})

test('the debugger attaches to the service, and a restart keeps its port', async () => {
  const first = await inspectService()
  expect(first).toEqual({ pid: expect.any(Number), parent: dev.pid, script: join(root, 'src/main.ts') })
  await saveMessage('pong-1')
  const second = await inspectService()
  expect(second).toEqual({ ...first, pid: expect.any(Number) })
  expect(second.pid).not.toBe(first.pid)
})

test('.vscode/launch.json attaches to the port of INSPECT=1', () => {
  const { configurations } = JSON.parse(readFileSync('.vscode/launch.json', 'utf8'))
  const [port] = configurations.flatMap(({ request, port }: { request: string; port?: number }) =>
    request === 'attach' ? [port] : [],
  )
  expect(readFileSync('scripts/run.ts', 'utf8')).toContain(`inspect === '1' ? ${port} :`)
})

test('a change of .env restarts the service, and so does its removal', async () => {
  const hasName = (name: string | undefined) => until(async () => (await get('/health')).service === name, 60_000)
  const { service } = await get('/health')
  writeFileSync(join(root, '.env'), 'SERVICE_NAME=from-env-file\nDRAIN_DELAY_MS=20000\n')
  await hasName('from-env-file')
  save('.env', (text) => text.replace('from-env-file', 'from-env-file-again'))
  // DRAIN_DELAY_MS does not delay a restart.
  await hasName('from-env-file-again')
  rmSync(join(root, '.env'))
  await hasName(service)
})

test('a process that does not respond does not prevent a restart', async () => {
  const { pid } = await inspectService()
  process.kill(pid, 'SIGSTOP')
  await saveMessage('pong-2')
})

test('a service that ends starts again at the next save', async () => {
  save('internal/handler/ping.ts', (text) => `${text}\nconst = 1\n`)
  await until(() => output.includes('The service has ended with exit code 1. The next save starts it again.'), 60_000)
  save('internal/handler/ping.ts', (text) => text.replace('\nconst = 1\n', ''))
  await saveMessage('pong-3')
})

test('SIGINT ends make dev with exit code 0, and the service with it', async () => {
  const { pid } = await inspectService()
  const closed = once(dev, 'close')
  dev.kill('SIGINT')
  expect(await closed).toEqual([0, null])
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

test('the local Redis keeps its data', async () => {
  const directory = temporaryDirectory('redis')
  async function send(command: readonly string[]): Promise<unknown> {
    const server = await startRedis({ directory, keepData: true })
    const client = createClient({ url: server.url })
    await client.connect()
    const reply = await client.sendCommand(command)
    await client.close()
    await server.stop()
    return reply
  }
  await send(['SET', 'session', 'kept'])
  expect(await send(['GET', 'session'])).toBe('kept')
  expect(readFileSync('scripts/run.ts', 'utf8')).toMatch(/startRedis\(\{[^}]*keepData: true/)
})
