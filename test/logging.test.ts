import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { interruptApps, killApps, linesOf, runApp, startApp } from './support/app.ts'
import { freePort, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

afterEach(killApps)

test('probes are not logged, other requests are, once', async () => {
  const app = await startApp()
  for (const path of ['/health', '/health/live', '/health/ready', '/health/startup']) await fetch(app.url + path)
  await fetch(`${app.url}/ping?secret=hunter2`, { headers: { authorization: 'Bearer hunter2', cookie: 'a=hunter2' } })
  await app.line({ path: '/ping' })
  expect(linesOf(app, 'request')).toHaveLength(1)
  expect(JSON.stringify(app.lines)).not.toMatch(/hunter2|health\//)
})

test('every line of a request has its id', async () => {
  const app = await startApp()
  await fetch(`${app.url}/ping`, { headers: { 'x-request-id': 'r-42' } })
  expect(await app.line({ reqId: 'r-42' })).toMatchObject({ msg: 'request', clientAddress: '127.0.0.1' })
})

test('LOG_LEVEL decides what is written', async () => {
  for (const [level, written] of [
    ['debug', 'request'],
    ['info', 'request'],
    ['warn', undefined],
  ] as const) {
    const port = await freePort()
    const app = runApp([], { env: { HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: level, DRAIN_DELAY_MS: '0' } })
    await until(async () => (await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined))?.ok === true)
    interruptApps()
    const lines = (await app).stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).msg)
    expect(lines.filter((msg) => msg === 'request')).toEqual(written ? [written] : [])
  }
})

test('hostile requests are answered as problems and end nothing', async () => {
  const app = await startApp()
  const post = (headers: string) =>
    `POST /ping HTTP/1.1\r\nhost: x\r\ncontent-type: application/json${headers}\r\n\r\n{"a":12}`
  for (const [bytes, status] of [
    [post('; charset=utf-7\r\ncontent-length: 8'), 415],
    [post('; charset=utf-7-imap\r\ncontent-length: 8'), 415],
    [post('\r\ncontent-encoding: br\r\ncontent-length: 8'), 400],
    ['GET http://[/ping HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['GET http://x/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 200],
    ['GET http://user:hunter2@x/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 200],
  ] as const) {
    const socket = connect(app.port, '127.0.0.1')
    socket.write(bytes)
    const [answer] = (await once(socket, 'data')).map(String)
    socket.destroy()
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    if (status !== 200) expect(answer).toMatch(/content-type: application\/problem\+json/i)
  }
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  expect(JSON.stringify(app.lines)).not.toContain('hunter2')
})

test('a request that is no HTTP has a line of its own', async () => {
  const app = await startApp()
  const socket = connect(app.port, '127.0.0.1')
  socket.write('GARBAGE\r\n\r\n')
  const id = /x-request-id: (\S+)/.exec(await text(socket))?.[1]
  expect(await app.line({ msg: 'request not understood' })).toMatchObject({ requestId: id, status: 400 })
})

test.each([
  ['a full disk', () => openSync('/dev/full', 'w')],
  ['a reader that went away', () => 'pipe' as const],
])('logging to %s does not stop the service', async (_name, destination) => {
  const port = await freePort()
  const child = spawn(resolve('dist/app'), {
    env: { HOST: '127.0.0.1', PORT: String(port), DRAIN_DELAY_MS: '0' },
    stdio: ['ignore', destination(), 'pipe'],
  })
  const url = `http://127.0.0.1:${port}`
  const errors = text(child.stderr!)
  await until(async () => (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok === true)
  child.stdout?.destroy()
  for (let i = 0; i < 20; i++) expect((await fetch(`${url}/ping`)).status).toBe(200)
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  expect({ code, errors: await errors }).toEqual({ code: 0, errors: '' })
})

/** Starts it with its log in a pipe that the test reads when it wants to, and serves so many requests. */
async function logging(requests: number) {
  const port = await freePort()
  const child = spawn(resolve('dist/app'), {
    env: { HOST: '127.0.0.1', PORT: String(port), DRAIN_DELAY_MS: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const url = `http://127.0.0.1:${port}`
  await until(async () => (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok === true)
  const path = `/${'x'.repeat(1_000)}`
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      get({ port, host: '127.0.0.1', path, agent }, (response) => {
        expect(response.statusCode).toBe(404)
        response.resume().once('end', resolve)
      }).once('error', reject)
    })
  await Promise.all(Array.from({ length: requests }, ask))
  agent.destroy()
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  return { child, ended, lines: async () => (await text(child.stdout!)).split('\n').slice(0, -1) }
}

const requestsIn = (lines: readonly string[]) => lines.filter((line) => JSON.parse(line).msg === 'request').length

test('a log that nobody reads stops nothing: lines wait, then they are dropped, and how many is said', async () => {
  const { child, ended, lines } = await logging(4_000)
  const reading = lines()
  await once(child.stdout!, 'data')
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 0, signal: null })
  const written = await reading
  const dropped = written.flatMap((line) =>
    JSON.parse(line).msg === 'log lines dropped' ? JSON.parse(line).lines : [],
  )
  expect(dropped).toHaveLength(1)
  expect(requestsIn(written) + dropped[0]).toBe(4_000)
})

test('a log that nobody reads does not keep the process from ending', async () => {
  const { child, ended } = await logging(2_000)
  child.kill('SIGTERM')
  await once(child, 'exit')
  child.stdout?.destroy()
  expect(await ended).toEqual({ code: 0, signal: null })
})

test('no line is lost on SIGTERM', async () => {
  const { child, ended, lines } = await logging(100)
  child.kill('SIGTERM')
  expect(requestsIn(await lines())).toBe(100)
  expect(await ended).toEqual({ code: 0, signal: null })
})

test.each([
  ['a crash', "throw new Error('bug')", 1],
  ['process.exit', 'process.exit(3)', 3],
])('no line is lost on %s', async (_name, code, expected) => {
  const inject = join(temporaryDirectory('inject'), 'inject.cjs')
  writeFileSync(inject, `process.on('SIGUSR2', () => { ${code} })`)
  const app = await startApp({ artifact: 'bundle', nodeOptions: `--require ${inject}` })
  await Promise.all(Array.from({ length: 50 }, () => fetch(`${app.url}/ping`)))
  app.signal('SIGUSR2')
  expect(await app.ended).toEqual({ code: expected, signal: null })
  expect(linesOf(app, 'request')).toHaveLength(50)
})
