import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { healthOf, killApps, runApp, startApp } from './support/app.ts'
import { freePort, testPostgres, until } from './support/services.ts'

/*
 * That a variable does what its name says, and is not only validated: on the artifact, from outside.
 * What each part does with its options stands in its own tests.
 */
afterEach(killApps)

test('BODY_LIMIT', async () => {
  const app = await startApp({ env: { BODY_LIMIT: '10b' } })
  const post = (body: string) =>
    fetch(`${app.url}/ping`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect((await post('{"a":1234}')).status).toBe(405)
  expect((await post('{"a":12345}')).status).toBe(413)
})

test.each([
  ['0', '127.0.0.1'],
  ['1', '203.0.113.9'],
  ['2', '198.51.100.7'],
  ['127.0.0.0/8', '203.0.113.9'],
  ['10.0.0.0/8', '127.0.0.1'],
])('TRUST_PROXY=%s', async (TRUST_PROXY, clientAddress) => {
  const app = await startApp({ env: { TRUST_PROXY } })
  await fetch(`${app.url}/ping`, { headers: { 'x-forwarded-for': '198.51.100.7, 203.0.113.9' } })
  expect(await app.line({ path: '/ping' })).toMatchObject({ clientAddress })
})

test('CORS_ORIGINS, where an answer is an error too', async () => {
  const origin = 'https://app.example.com'
  const app = await startApp({ env: { CORS_ORIGINS: origin, RATE_LIMIT: '2' } })
  const readable: unknown[] = []
  for (const path of ['/ping', '/nothing', '/ping']) {
    const { status, headers } = await fetch(app.url + path, { headers: { origin } })
    readable.push([status, headers.get('access-control-allow-origin')])
  }
  expect(readable).toEqual([200, 404, 429].map((status) => [status, origin]))
})

test('KEEP_ALIVE_TIMEOUT_MS', async () => {
  const app = await startApp({ env: { KEEP_ALIVE_TIMEOUT_MS: '33000' } })
  expect((await fetch(`${app.url}/ping`)).headers.get('keep-alive')).toBe('timeout=33')
})

test.each([
  ['HEADERS_TIMEOUT_MS', 'GET / HTTP/1.1\r\nhost:', 'HTTP/1.1 408'],
  [
    'REQUEST_TIMEOUT_MS',
    'POST /ping HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    'HTTP/1.1 408',
  ],
])('%s', async (name, bytes, answer) => {
  const app = await startApp({ env: { HEADERS_TIMEOUT_MS: '200', [name]: '200' } })
  const socket = connect(app.port, '127.0.0.1')
  socket.write(bytes)
  expect((await text(socket)).slice(0, 12)).toBe(answer)
})

test.each(['DATABASE', 'REDIS'])('%s_CRITICAL', async (store) => {
  const url = `${store === 'REDIS' ? 'redis' : 'postgres'}://127.0.0.1:${await freePort()}`
  const check = store.toLowerCase()
  const app = await startApp({ env: { [`${store}_URL`]: url, [`${store}_CRITICAL`]: 'false' } })
  expect(await app.line({ msg: 'check failed', check })).toMatchObject({ level: 'warn' })
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
})

test.each([
  [undefined, 200, 404],
  ['none', 404, 404],
  ['version', 404, 200],
  ['docs, version', 200, 200],
])('FEATURES=%s', async (FEATURES, docs, version) => {
  const app = await startApp(FEATURES === undefined ? {} : { env: { FEATURES } })
  expect((await fetch(`${app.url}/openapi.json`)).status).toBe(docs)
  expect((await fetch(`${app.url}/version`)).status).toBe(version)
})

test('HEALTH_RISE', async () => {
  const database = await testPostgres()
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  await database.kill()
  const env = { DATABASE_URL: database.url, HEALTH_INTERVAL_MS: '200', HEALTH_TIMEOUT_MS: '200', HEALTH_RISE: '5' }
  const app = await startApp({ env })
  const check = async () => (await healthOf(app)).checks['database']
  await until(async () => (await check())?.reason === 'refused')
  await database.restart()
  const startedAt = performance.now()
  await until(async () => (await check())?.status === 'ok')
  // Four more after the first success, 180 ms apart at the least.
  expect(performance.now() - startedAt).toBeGreaterThan(4 * 180)
  await database.stop()
})
