import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from '@jest/globals'
import express from 'express'
import { pino } from 'pino'
import { accessLog } from '../pkg/http/access-log.ts'
import { createLogger } from '../pkg/logging/index.ts'
import { listen } from '../test/support/listen.ts'
import { collectLines, findLineProblems, type Line } from '../test/support/log-fields.ts'
import { freePort, until } from '../test/support/services.ts'

const { PINO, accessFields } = createRequire(import.meta.url)('./peers/support/duties.cjs')

const { lines, ...options } = collectLines()
const app = express().use((req, _res, next) => {
  req.id = 'r-1'
  next()
})
app.use(accessLog(createLogger(options))).get('/ping', (_req, res) => void res.json({ message: 'pong' }))
const { url, stop } = await listen(createServer(app))
const peers: ChildProcess[] = []
afterAll(() => {
  for (const peer of peers) peer.kill()
  return stop()
})

/** Returns the names of the fields in the access log of the service. */
async function listOurFields(): Promise<string[]> {
  await fetch(`${url}/ping`).then((response) => response.text())
  return Object.keys(lines[0] ?? {}).sort()
}

test('the raw peer logs the fields that the service logs', async () => {
  const port = await freePort()
  const env = { HOST: '127.0.0.1', PORT: String(port) }
  const peer = spawn(process.execPath, ['bench/peers/raw-with-duties.cjs'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  peers.push(peer)
  const written = once(createInterface({ input: peer.stdout }), 'line')
  await until(async () => (await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined))?.ok === true)
  const line: Line = JSON.parse(String(await written))
  expect(findLineProblems(line)).toEqual([])
  expect(Object.keys(line).sort()).toEqual(await listOurFields())
  expect(line).toMatchObject({ 'url.path': '/ping', 'http.response.status_code': 200, 'client.ip': '127.0.0.1' })
})

test('a peer with pino logs the fields that the service logs', async () => {
  const written: Line[] = []
  const logger = pino(PINO, { write: (line) => void written.push(JSON.parse(line)) })
  const fields = {
    id: 'r-1',
    method: 'GET',
    url: '/ping',
    status: 200,
    bytes: 18,
    durationMs: 0.5,
    address: '127.0.0.1',
  }
  logger.info(accessFields(fields), 'request')
  expect(written.flatMap(findLineProblems)).toEqual([])
  expect(Object.keys(written[0] ?? {}).sort()).toEqual(await listOurFields())
})
