import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from './support/app.ts'
import { startMeasured } from './support/metrics.ts'

afterEach(killApps)

const CONNECTIONS = 100
/** The manifests allow 256 MiB. A quiet machine measures 140 to 165 MB. */
const MAX_BYTES = 240e6

/** Returns the largest resident set of the process so far, in bytes. */
function readPeak({ pid }: Pick<RunningApp, 'pid'>): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

async function findScript(app: RunningApp): Promise<string> {
  const page = await (await fetch(`${app.url}/docs`)).text()
  return /\/docs\/swagger-ui-\w+\.js/.exec(page)?.[0] ?? ''
}

/** Opens a connection and sends `bytes`. `served` resolves at the first byte of a response or at the end. */
function flood(port: number, bytes: string) {
  const socket = connect(port, '127.0.0.1')
  const { promise: served, resolve } = Promise.withResolvers<void>()
  socket.on('error', () => {})
  socket.once('close', resolve)
  socket.once('data', () => {
    // The client stops reading here.
    socket.pause()
    resolve()
  })
  socket.write(bytes)
  return { socket, served }
}

test.each([
  ['the largest file, without compression', findScript, 600],
  ['the document', async () => '/openapi.json', 1_000],
  ['the document within the limit of pipelined requests', async () => '/openapi.json', 60],
  ['the largest file within the limit of pipelined requests', findScript, 10],
])('100 connections that pipeline requests for %s stay below the memory limit', async (_name, find, requests) => {
  const app = await startApp()
  const path = await find(app)
  expect(path).not.toBe('')
  const bytes = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(requests)
  const clients = Array.from({ length: CONNECTIONS }, () => flood(app.port, bytes))
  const probe = async () => expect((await fetch(`${app.url}/health/live`)).status).toBe(200)
  const served = Promise.all(clients.map((client) => client.served))
  let isServed = false
  void served.then(() => {
    isServed = true
  })
  do await probe()
  while (!isServed)
  for (const { socket } of clients) socket.resume()
  for (let time = 0; time < 50; time++) await probe()
  expect(readPeak(app)).toBeLessThan(MAX_BYTES)
  for (const { socket } of clients) socket.destroy()
})

test('60 scrapes that hang in mid-response neither use much memory nor block the stop', async () => {
  const { app, url } = await startMeasured({ DRAIN_DELAY_MS: '0' })
  const bytes = 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(60)
  const scrapers = Array.from({ length: 60 }, () => flood(Number(new URL(url).port), bytes))
  await Promise.all(scrapers.map(({ served }) => served))
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  expect(readPeak(app)).toBeLessThan(MAX_BYTES)
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 0, signal: null })
  for (const { socket } of scrapers) socket.destroy()
})

test('a client that reads receives every response of 50 pipelined requests', async () => {
  const app = await startApp()
  const socket = connect(app.port, '127.0.0.1')
  const close = 'GET /ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
  socket.write(`GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(49) + close)
  expect((await text(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(50)
})
