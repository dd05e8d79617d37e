import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { LocalServer } from '../scripts/services/service.ts'
import { killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { reportModules } from './support/loaded-modules.ts'
import { startMeasured } from './support/metrics.ts'
import { findExemplars, scrapeWithPrometheus } from './support/prometheus.ts'
import { readValues } from './support/read-values.ts'
import { freePort, until } from './support/services.ts'
import { useStores } from './support/stores.ts'
import { temporaryDirectory } from './support/temporary.ts'
import { debianTool } from './support/tools.ts'

afterEach(killApps)

let scrapedPort: number
let prometheus: LocalServer
beforeAll(async () => {
  // Prometheus scrapes its first targets after five seconds, so it starts before the other tests.
  scrapedPort = await freePort()
  prometheus = await scrapeWithPrometheus(`http://127.0.0.1:${scrapedPort}/metrics`, temporaryDirectory('prometheus'))
}, 120_000)
afterAll(() => prometheus.stop())

const get = async ({ url }: RunningApp, path: string, init: RequestInit = {}) => {
  const response = await fetch(url + path, init)
  await response.arrayBuffer()
  return response.status
}

const COUNT = 'http_server_request_duration_seconds_count'

describe('with PostgreSQL and Redis', () => {
  const stores = useStores()

  test('after traffic, promtool accepts the metrics, and the stores have theirs', async () => {
    const promtool = await debianTool('promtool', 'prometheus')
    const { app, scrape } = await startMeasured({
      ...{ DATABASE_URL: stores.database.url, REDIS_URL: stores.redis.url },
      ...{ RATE_LIMIT: '1000000', FEATURES: 'docs,version' },
      ...{ HEALTH_INTERVAL_MS: '500', HEALTH_TIMEOUT_MS: '500' },
    })
    // Until Redis is connected, the commands of the rate limit fail and would count.
    await until(async () => Object.values(readValues(await scrape(), 'health_check_status')).join() === '1,1')
    expect(await get(app, '/ping')).toBe(200)
    expect(await get(app, '/version')).toBe(200)
    expect(await get(app, '/nothing"\\')).toBe(404)

    const text = await scrape()
    const checked = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' })
    expect(checked).toMatchObject({ status: 0, stdout: '', stderr: '' })
    const broken = spawnSync(promtool, ['check', 'metrics'], { input: `${text}x{y="} 1\n`, encoding: 'utf8' })
    expect(broken.status).not.toBe(0)

    const operations = Object.keys(readValues(text, 'db_client_operation_duration_seconds_count'))
    expect(operations).toContain('db_system_name="redis",db_operation_name="EVAL",error_type=""')
    const connections = readValues(text, 'db_client_connections')
    const inPool = (pool: string, state: string) =>
      connections[`db_client_connection_pool_name="${pool}",db_client_connection_state="${state}"`]
    expect(inPool('redis', 'used')).toBe(1)
    expect(readValues(text, 'health_check_status')).toEqual({ 'check="database"': 1, 'check="redis"': 1 })
    stores.redis.hang()
    await until(async () => readValues(await scrape(), 'health_check_status')['check="redis"'] === 0)
    stores.redis.resume()
  })
})

test('under concurrent load, the metrics count every request once', async () => {
  const { app, scrape } = await startMeasured()
  const paths = Array.from({ length: 3_000 }, (_, index) => (index % 3 === 0 ? `/nothing/${index}` : '/ping'))
  const worker = async () => {
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) await get(app, path)
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  const text = await scrape()
  expect(readValues(text, COUNT)).toEqual({
    'http_request_method="GET",http_route="/ping",http_response_status_code="200"': 2_000,
    'http_request_method="GET",http_route="",http_response_status_code="404"': 1_000,
  })
  expect(readValues(text, 'http_server_active_requests')).toEqual({ '': 0 })
})

test('probes are not counted, and a feature that is off is an unknown path', async () => {
  const { app, scrape } = await startMeasured()
  expect(await get(app, '/health/live')).toBe(200)
  expect(await get(app, '/version')).toBe(404)
  expect(readValues(await scrape(), COUNT)).toEqual({
    'http_request_method="GET",http_route="",http_response_status_code="404"': 1,
  })
})

test('PORT serves no metrics', async () => {
  const { app } = await startMeasured()
  expect(await get(app, '/metrics')).toBe(404)
})

test('reloads and their failures are counted', async () => {
  const file = join(temporaryDirectory('metrics'), 'settings.json')
  writeFileSync(file, '{}')
  const { app, scrape } = await startMeasured({ SETTINGS_FILE: file })
  app.signal('SIGHUP')
  await app.line({ message: 'settings reloaded' })
  writeFileSync(file, '{"LOG_LEVEL":"loud"}')
  app.signal('SIGHUP')
  await app.line({ message: 'settings not reloaded' })
  const { 'result="ok"': reloaded, 'result="fail"': failed } = readValues(await scrape(), 'settings_reloads_total')
  expect(reloaded).toBe(1)
  expect(failed).toBeGreaterThan(0)
})

test('metrics are served until the requests in flight have ended, and show the drain', async () => {
  const { app, url, scrape } = await startMeasured({ DRAIN_DELAY_MS: '0' })
  expect(readValues(await scrape(), 'service_phase')).toMatchObject({ 'phase="serving"': 1, 'phase="draining"': 0 })
  // The stop waits for a request whose headers are incomplete.
  const busy = connect(app.port, '127.0.0.1')
  busy.write('GET /ping HTTP/1.1\r\nhost: x\r\n')
  await once(busy, 'connect')
  app.signal('SIGTERM')
  await app.line({ message: 'draining' })
  expect(readValues(await scrape(), 'service_phase')).toMatchObject({ 'phase="serving"': 0, 'phase="draining"': 1 })
  busy.write('\r\n')
  expect(String(await once(busy, 'data'))).toMatch(/^HTTP\/1.1 200 /)
  expect(await app.ended).toEqual({ code: 0, signal: null })
  await expect(fetch(url)).rejects.toThrow()
})

test('a taken ADMIN_PORT fails the start', async () => {
  const { port, stop } = await listen(createServer())
  const { code, stdout } = await runApp([], { env: { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: String(port) } })
  await stop()
  expect(code).toBe(1)
  expect(stdout).toContain(`port ${port} on 127.0.0.1 is taken: stop the other process, or set ADMIN_PORT`)
})

test('two services without ADMIN_PORT serve their metrics on ports of their own', async () => {
  const apps = await Promise.all([1, 2].map(() => startApp({ env: { ADMIN_PORT: '' } })))
  const ports = await Promise.all(
    apps.map(async (app) => (await app.line({ message: 'admin listening' }))['server.port']),
  )
  expect(new Set(ports).size).toBe(2)
  for (const port of ports) expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200)
})

test('with ADMIN_PORT=0 no code of metrics is loaded, and otherwise the first scrape loads prom-client', async () => {
  const { program, list: listLoaded } = reportModules(
    'internal/telemetry/(?:admin|(?:store-)?metrics)|pkg/metrics/|node_modules/prom-client/',
  )
  expect(listLoaded(await startApp({ program }))).toEqual([])
  const app = await startApp({ program, env: { ADMIN_PORT: String(await freePort()) } })
  const own = ['internal/telemetry/admin.ts', 'internal/telemetry/metrics.ts', 'pkg/metrics/http.ts']
  expect(listLoaded(app)).toEqual(expect.arrayContaining(own))
  expect(listLoaded(app).join()).not.toContain('node_modules/')
  const { 'server.port': port } = await app.line({ message: 'admin listening' })
  await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  await until(() => listLoaded(app).some((file) => file.startsWith('node_modules/prom-client/')))
})

test('a real Prometheus scrapes OpenMetrics with the id of a request as an exemplar', async () => {
  const { app, scrape } = await startMeasured({ ADMIN_PORT: String(scrapedPort) })
  expect(await get(app, '/ping', { headers: { 'x-request-id': 'exemplary-1' } })).toBe(200)
  expect(await scrape('application/openmetrics-text')).toMatch(/\n# EOF\n$/)
  const find = () => findExemplars(prometheus, 'http_server_request_duration_seconds_bucket')
  await until(async () => (await find()).some(({ request_id: id }) => id === 'exemplary-1'), 25_000)
  expect(await find()).toContainEqual(expect.objectContaining({ request_id: 'exemplary-1', http_route: '/ping' }))
})
