import { createServer } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { freePort } from './support/services.ts'

/*
 * These tests check the effect of each variable on the artifact. Unit tests check the options of each module.
 */
afterEach(killApps)

test.each([
  ['0', '127.0.0.1'],
  ['1', '203.0.113.9'],
  ['2', '198.51.100.7'],
  ['127.0.0.0/8', '203.0.113.9'],
  ['10.0.0.0/8', '127.0.0.1'],
])('TRUST_PROXY=%s logs the client address %s', async (TRUST_PROXY, clientAddress) => {
  const app = await startApp({ env: { TRUST_PROXY } })
  await fetch(`${app.url}/ping`, { headers: { 'x-forwarded-for': '198.51.100.7, 203.0.113.9' } })
  expect(await app.line({ 'url.path': '/ping' })).toMatchObject({ 'client.address': clientAddress })
})

test('CORS_ORIGINS lets a listed origin read every response, errors included', async () => {
  const origin = 'https://app.example.com'
  const app = await startApp({ env: { CORS_ORIGINS: origin, RATE_LIMIT: '2' } })
  const readable: unknown[] = []
  for (const path of ['/ping', '/nothing', '/ping']) {
    const { status, headers } = await fetch(app.url + path, { headers: { origin } })
    readable.push([status, headers.get('access-control-allow-origin')])
  }
  expect(readable).toEqual([200, 404, 429].map((status) => [status, origin]))
})

test('KEEP_ALIVE_TIMEOUT_MS sets the timeout of the keep-alive header', async () => {
  const app = await startApp({ env: { KEEP_ALIVE_TIMEOUT_MS: '33000' } })
  expect((await fetch(`${app.url}/ping`)).headers.get('keep-alive')).toBe('timeout=33')
})

test('HEADERS_TIMEOUT_MS ends a request whose headers are late', async () => {
  const app = await startApp({ env: { HEADERS_TIMEOUT_MS: '200' } })
  const socket = connect(app.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost:')
  expect((await text(socket)).slice(0, 12)).toBe('HTTP/1.1 408')
})

test.each(['DATABASE', 'REDIS'])('%s_CRITICAL=false keeps the service ready while the store is down', async (store) => {
  const url = `${store === 'REDIS' ? 'redis' : 'postgres'}://127.0.0.1:${await freePort()}`
  const check = store.toLowerCase()
  const app = await startApp({ env: { [`${store}_URL`]: url, [`${store}_CRITICAL`]: 'false' } })
  expect(await app.line({ message: 'check failed', 'service.target.name': check })).toMatchObject({
    'log.level': 'warn',
  })
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
})

test.each([
  [undefined, 200, 404],
  ['none', 404, 404],
  ['version', 404, 200],
  ['docs, version', 200, 200],
])('FEATURES=%s gives %s for /openapi.json and %s for /version', async (FEATURES, docs, version) => {
  const app = await startApp(FEATURES === undefined ? {} : { env: { FEATURES } })
  expect((await fetch(`${app.url}/openapi.json`)).status).toBe(docs)
  expect((await fetch(`${app.url}/version`)).status).toBe(version)
})

test('HEALTH_RISE consecutive successes end the failure of a check', async () => {
  let requests = 0
  // The second failure interrupts four successes, so they must not count.
  const peer = createServer((_request, response) => {
    requests++
    response.writeHead(requests === 1 || requests === 6 ? 500 : 200).end()
  })
  const { url } = await listen(peer.unref())
  const HEALTH_CHECKS = `peer=${url}/`
  const app = await startApp({
    env: { HEALTH_CHECKS, HEALTH_FALL: '1', HEALTH_RISE: '5', HEALTH_INTERVAL_MS: '200', HEALTH_TIMEOUT_MS: '200' },
  })
  await app.line({ message: 'check failed', 'service.target.name': 'peer' })
  await app.line({ message: 'check ok', 'service.target.name': 'peer' })
  expect(requests).toBeGreaterThanOrEqual(11)
})
