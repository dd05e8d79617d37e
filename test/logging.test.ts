import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { findLines, interruptApps, killApps, runApp, startApp } from './support/app.ts'
import { findLineProblems } from './support/log-fields.ts'
import { freePort, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

afterEach(killApps)

/** Waits until the service is ready. Probes are not logged. */
const ready = (port: number) =>
  until(async () => (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined))?.ok === true)

const parseLines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

test('probes are not logged, and other requests are logged once', async () => {
  const app = await startApp()
  for (const path of ['/health', '/health/live', '/health/ready', '/health/startup']) await fetch(app.url + path)
  await fetch(`${app.url}/ping?secret=hunter2`, { headers: { authorization: 'Bearer hunter2', cookie: 'a=hunter2' } })
  await app.line({ 'url.path': '/ping' })
  expect(findLines(app, 'request')).toHaveLength(1)
  expect(JSON.stringify(app.lines)).not.toMatch(/hunter2|health\//)
})

test('a service without a database says at its start that its resources are off', async () => {
  const production = { NODE_ENV: 'production' }
  const without = await startApp({ env: production })
  const line = { message: 'resources off', 'log.level': 'info', 'event.reason': 'DATABASE_URL is not set' }
  await without.line({ message: 'serving' })
  expect(without.lines).toContainEqual(expect.objectContaining(line))
  const withDatabase = await startApp({
    env: { ...production, DATABASE_URL: `postgres://127.0.0.1:${await freePort()}/app` },
  })
  await withDatabase.line({ message: 'serving' })
  expect(withDatabase.lines).not.toContainEqual(expect.objectContaining({ message: 'resources off' }))
})

test('each line of a request has the request id', async () => {
  const app = await startApp()
  await fetch(`${app.url}/ping`, { headers: { 'x-request-id': 'r-42' } })
  expect(await app.line({ 'http.request.id': 'r-42' })).toMatchObject({
    message: 'request',
    'client.address': '127.0.0.1',
    'client.ip': '127.0.0.1',
  })
})

test('each line of a request has the trace of the caller and a span of its own', async () => {
  const app = await startApp()
  const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
  await fetch(`${app.url}/ping`, { headers: { traceparent: `00-${trace}-${span}-01` } })
  const line = await app.line({ 'trace.id': trace })
  expect(line['span.id']).toMatch(/^[0-9a-f]{16}$/)
  expect(line['span.id']).not.toBe(span)
  await fetch(`${app.url}/ping`, { headers: { traceparent: 'unknown', 'x-request-id': 'r-43' } })
  expect((await app.line({ 'http.request.id': 'r-43' }))['trace.id']).toMatch(/^[0-9a-f]{32}$/)
})

test('the service writes lines from LOG_LEVEL upwards', async () => {
  for (const [level, written] of [
    ['debug', ['request']],
    ['info', ['request']],
    ['warn', []],
  ] as const) {
    const port = await freePort()
    const app = runApp([], { env: { HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: level, DRAIN_DELAY_MS: '0' } })
    await ready(port)
    expect((await fetch(`http://127.0.0.1:${port}/ping`)).status).toBe(200)
    interruptApps()
    const lines = parseLines((await app).stdout).map(({ message }) => message)
    expect(lines.filter((message) => message === 'request')).toEqual(written)
  }
})

test('hostile requests receive problem documents and do not stop the service', async () => {
  const app = await startApp()
  for (const [bytes, status] of [
    ['GET http://[/ping HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['GET http://x/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 200],
    ['GET http://user:hunter2@x/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 200],
  ] as const) {
    const socket = connect(app.port, '127.0.0.1')
    socket.write(bytes)
    const [response] = (await once(socket, 'data')).map(String)
    socket.destroy()
    expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    if (status !== 200) expect(response).toMatch(/content-type: application\/problem\+json/i)
  }
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  expect(JSON.stringify(app.lines)).not.toContain('hunter2')
})

test('bytes that are not HTTP are logged with the request id of their response', async () => {
  const app = await startApp()
  const socket = connect(app.port, '127.0.0.1')
  socket.write('GARBAGE\r\n\r\n')
  const id = /x-request-id: (\S+)/.exec(await text(socket))?.[1]
  expect(await app.line({ message: 'request not understood' })).toMatchObject({
    'http.request.id': id,
    'http.response.status_code': 400,
    'error.code': 'HPE_INVALID_METHOD',
    'client.address': '127.0.0.1',
  })
})

test.each([
  ['a full disk', () => openSync('/dev/full', 'w')],
  ['a pipe without a reader', () => 'pipe' as const],
])('logging to %s does not stop the service', async (_name, destination) => {
  const port = await freePort()
  const child = spawn(resolve('dist/app'), {
    env: { HOST: '127.0.0.1', PORT: String(port), DRAIN_DELAY_MS: '0' },
    stdio: ['ignore', destination(), 'pipe'],
  })
  const url = `http://127.0.0.1:${port}`
  const errors = text(child.stderr!)
  await ready(port)
  child.stdout?.destroy()
  for (let i = 0; i < 20; i++) expect((await fetch(`${url}/ping`)).status).toBe(200)
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  expect({ code, errors: await errors }).toEqual({ code: 0, errors: '' })
})

/** Starts the service with a pipe as its log, without a reader, and sends requests. */
async function startUnread(requests: number) {
  const port = await freePort()
  const child = spawn(resolve('dist/app'), {
    env: { HOST: '127.0.0.1', PORT: String(port), DRAIN_DELAY_MS: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await ready(port)
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
  return { child, ended, log: child.stdout! }
}

const countRequests = (lines: readonly Record<string, unknown>[]) =>
  lines.filter(({ message }) => message === 'request').length

test('a log without a reader does not stop the service, which logs the number of dropped lines', async () => {
  const { child, ended, log } = await startUnread(4_000)
  const lines: Record<string, unknown>[] = []
  const reports = () => lines.filter(({ message }) => message === 'log lines dropped')
  const reported = new Promise<void>((resolve) => {
    createInterface({ input: log }).on('line', (line) => {
      lines.push(JSON.parse(line))
      if (reports().length > 0) resolve()
    })
  })
  // Wait for the report before the stop, so that every dropped line belongs to a request.
  await reported
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 0, signal: null })
  const dropped = reports().reduce((sum, line) => sum + Number(line['App.log.dropped_lines']), 0)
  expect(countRequests(lines) + dropped).toBe(4_000)
  expect(lines.at(-1)).toMatchObject({ message: 'stopped' })
  expect(lines.flatMap(findLineProblems)).toEqual([])
})

test('a log without a reader does not keep the process from ending', async () => {
  const { child, ended, log } = await startUnread(2_000)
  child.kill('SIGTERM')
  await once(child, 'exit')
  log.destroy()
  expect(await ended).toEqual({ code: 0, signal: null })
})

test('no line is lost on SIGTERM', async () => {
  const { child, ended, log } = await startUnread(100)
  child.kill('SIGTERM')
  expect(countRequests(parseLines(await text(log)))).toBe(100)
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
  expect(findLines(app, 'request')).toHaveLength(50)
})
