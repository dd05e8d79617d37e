import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from './support/app.ts'
import { until } from './support/services.ts'

afterEach(killApps)

const CONNECTIONS = 100
/** Below the 256 MiB of the manifests, on a busy machine too. A quiet machine measures 140 to 165 MB. */
const MAX_RSS = 240e6

function readRss({ pid }: Pick<RunningApp, 'pid'>): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

async function findScript(app: RunningApp): Promise<string> {
  const page = await (await fetch(`${app.url}/docs`)).text()
  return /\/docs\/swagger-ui-\w+\.js/.exec(page)?.[0] ?? ''
}

/** Opens connections that send `bytes` and read slowly or never. */
function flood(app: RunningApp, bytes: string): Socket[] {
  return Array.from({ length: CONNECTIONS }, () => {
    const socket = connect(app.port, '127.0.0.1').pause()
    socket.on('error', () => {})
    socket.write(bytes)
    return socket
  })
}

test.each([
  ['the largest file, without compression', findScript, 600],
  ['the document', async () => '/openapi.json', 1_000],
  ['a file within the limit of pipelined requests', findScript, 100],
])('100 connections that pipeline requests for %s stay below the memory limit', async (_name, find, requests) => {
  const app = await startApp()
  const path = await find(app)
  expect(path).not.toBe('')
  const sockets = flood(app, `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(requests))
  // The service has dealt with every connection when it has responded to each or has destroyed it.
  await until(() => sockets.every((socket) => socket.destroyed || socket.bytesWritten > 0), 30_000)
  for (let probe = 0; probe < 50; probe++) expect((await fetch(`${app.url}/health/live`)).status).toBe(200)
  for (const socket of sockets) socket.resume()
  expect((await fetch(`${app.url}/health/live`)).status).toBe(200)
  console.info(`${(readRss(app) / 1e6).toFixed(0)} MB`)
  expect(readRss(app)).toBeLessThan(MAX_RSS)
  for (const socket of sockets) socket.destroy()
})
