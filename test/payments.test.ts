import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { type FakePayments, PAYMENT, startFakePayments } from './payments/fake.ts'
import { fetchHealth, findLines, killApps, type RunningApp, startApp } from './support/app.ts'
import { reportModules } from './support/loaded-modules.ts'
import { startMeasured } from './support/metrics.ts'
import { type Receiver, startReceiver } from './support/otlp-receiver.ts'
import { readValues } from './support/read-values.ts'
import { until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'
import { debianTool } from './support/tools.ts'

const fakes: FakePayments[] = []
let receiver: Receiver | undefined
afterEach(async () => {
  await killApps()
  await Promise.all([...fakes.splice(0), receiver].map((server) => server?.stop()))
  receiver = undefined
})

async function startFakes(count: number): Promise<FakePayments[]> {
  const started = await Promise.all(Array.from({ length: count }, startFakePayments))
  fakes.push(...started)
  return started
}

const upstreamsOf = (fakes: readonly FakePayments[]) => `payments=${fakes.map(({ origin }) => origin).join('|')}`

const get = async ({ url }: Pick<RunningApp, 'url'>, headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/v1/payments/pay_1`, { headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const UNAVAILABLE = { status: 503, body: { status: 503, code: 'upstream_unavailable' } }

test('a payment is created and read through the upstream, with the ids of the request', async () => {
  const [fake] = await startFakes(1)
  const { app, scrape } = await startMeasured({ UPSTREAMS: upstreamsOf([fake!]), REQUEST_TIMEOUT_MS: '12000' })
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const created = await fetch(`${app.url}/v1/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'k-1', 'x-request-id': 'r-1' },
    body: '{"amount":1250,"currency":"EUR"}',
  })
  expect(created.status).toBe(201)
  expect(created.headers.get('location')).toBe('/v1/payments/pay_1')
  expect(await created.json()).toEqual(PAYMENT)
  expect(await get(app, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` })).toEqual({ status: 200, body: PAYMENT })

  const [post, read] = fake!.seen
  expect(post).toMatchObject({ method: 'POST', url: '/payments' })
  expect(post!.headers).toMatchObject({
    'idempotency-key': 'k-1',
    'x-request-id': 'r-1',
    host: `127.0.0.1:${fake!.port}`,
  })
  expect(read).toMatchObject({ method: 'GET', url: '/payments/pay_1' })
  expect(read!.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-`))
  const leftMs = Number(read!.headers['x-request-timeout-ms'])
  // The call's own limit of five seconds is shorter than the request's.
  expect(leftMs).toBeLessThanOrEqual(5_000)
  expect(leftMs).toBeGreaterThan(0)

  const text = await scrape()
  const promtool = await debianTool('promtool', 'prometheus')
  const checked = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' })
  expect(checked).toMatchObject({ status: 0, stdout: '', stderr: '' })
  const labels = (method: string) =>
    `upstream="payments",http_request_method="${method}",http_response_status_code="200",error_type=""`
  expect(readValues(text, 'http_client_request_duration_seconds_count')).toEqual({
    [labels('POST')]: 1,
    [labels('GET')]: 1,
  })
})

test('a call has a client span, which is the parent of the spans of the upstream', async () => {
  const [fake] = await startFakes(1)
  receiver = await startReceiver()
  const app = await startApp({
    env: { UPSTREAMS: upstreamsOf([fake!]), OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '10' },
  })
  expect((await get(app)).status).toBe(200)
  const call = await receiver.span(({ name }) => name === 'GET payments')
  const server = await receiver.span(({ kind }) => kind === 2)
  expect(call).toMatchObject({
    kind: 3,
    traceId: server.traceId,
    parentSpanId: server.spanId,
    attributes: { 'http.response.status_code': 200, 'server.address': '127.0.0.1', 'server.port': fake!.port },
  })
  expect(fake!.seen[0]!.headers['traceparent']).toBe(`00-${call.traceId}-${call.spanId}-01`)
})

test('a trusted caller waits for 200 ms, so the service responds with a 504, and the upstream sees the cancel', async () => {
  const [fake] = await startFakes(1)
  const app = await startApp({ env: { UPSTREAMS: upstreamsOf([fake!]), TRUST_PROXY: '127.0.0.0/8' } })
  // The first request compiles code, which may take long on a busy machine.
  expect((await get(app)).status).toBe(200)
  const cancelled = Promise.withResolvers<void>()
  fake!.respond((req) => void req.once('close', cancelled.resolve))
  expect(await get(app, { 'x-request-timeout-ms': '200' })).toMatchObject({
    status: 504,
    body: { status: 504, code: 'upstream_timeout' },
  })
  await cancelled.promise
  expect(Number(fake!.seen[1]!.headers['x-request-timeout-ms'])).toBeLessThanOrEqual(200)
})

test('when the caller disconnects, its call is cancelled', async () => {
  const [fake] = await startFakes(1)
  const arrived = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<void>()
  fake!.respond((req) => {
    arrived.resolve()
    req.once('close', cancelled.resolve)
  })
  const app = await startApp({ env: { UPSTREAMS: upstreamsOf([fake!]) } })
  const call = request(`${app.url}/v1/payments/pay_1`).on('error', () => undefined)
  call.end()
  await arrived.promise
  call.destroy()
  await cancelled.promise
  expect(await app.line({ 'url.path': '/v1/payments/pay_1' })).toMatchObject({ message: 'request aborted' })
})

test('a dead instance costs no request: GET and keyed POST go to the others, and it is back after its return', async () => {
  const started = await startFakes(3)
  const { app, scrape } = await startMeasured({ UPSTREAMS: upstreamsOf(started) })
  const post = () =>
    fetch(`${app.url}/v1/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k-1' },
      body: '{"amount":1250,"currency":"EUR"}',
    })
  await started[0]!.stop()
  const instance = { 'service.target.name': 'payments', 'server.address': '127.0.0.1', 'server.port': started[0]!.port }
  const statuses = new Set<number>()
  while (findLines(app, 'instance ejected').length === 0) {
    const responses = await Promise.all([get(app), post(), get(app), post()])
    for (const { status } of responses) statuses.add(status)
  }
  expect(await app.line({ message: 'instance ejected' })).toMatchObject(instance)
  for (let index = 0; index < 50; index++) statuses.add((await get(app)).status)
  expect([...statuses].sort()).toEqual([200, 201])
  await started[0]!.restart()
  expect(await app.line({ message: 'instance back' })).toMatchObject(instance)
  const states = readValues(await scrape(), 'upstream_instances')
  expect(states).toEqual({ 'upstream="payments",state="active"': 3, 'upstream="payments",state="ejected"': 0 })
})

test('while every instance is down the circuit is open, and it closes after their return', async () => {
  const started = await startFakes(2)
  const { app, scrape } = await startMeasured({ UPSTREAMS: upstreamsOf(started), HEALTH_INTERVAL_MS: '1000' })
  await app.line({ message: 'check ok', 'service.target.name': 'upstream-payments' })
  await Promise.all(started.map((fake) => fake.stop()))
  let requests = 0
  while (findLines(app, 'circuit opened').length === 0) {
    requests++
    expect(await get(app)).toMatchObject(UNAVAILABLE)
  }
  for (let index = 0; index < 200; index++) expect(await get(app)).toMatchObject(UNAVAILABLE)
  const attempts = Object.values(readValues(await scrape(), 'http_client_request_duration_seconds_count'))
  expect(attempts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(1.1 * requests + 10)

  expect(await app.line({ message: 'check failed', 'service.target.name': 'upstream-payments' })).toMatchObject({
    'log.level': 'warn',
  })
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
  await Promise.all(started.map((fake) => fake.restart()))
  // A probe allows the trial, and a request is the trial.
  await until(async () => (await get(app)).status === 200, 15_000)
  await app.line({ message: 'circuit closed', 'service.target.name': 'payments' })
})

test('UPSTREAM_OPEN in SETTINGS_FILE keeps calls away from an upstream until it is removed', async () => {
  const [fake] = await startFakes(1)
  const SETTINGS_FILE = join(temporaryDirectory('upstream'), 'settings.json')
  writeFileSync(SETTINGS_FILE, '{"UPSTREAM_OPEN":"payments"}')
  const app = await startApp({
    env: { UPSTREAMS: upstreamsOf([fake!]), SETTINGS_FILE, HEALTH_INTERVAL_MS: '1000', HEALTH_FALL: '1' },
  })
  expect(await get(app)).toMatchObject(UNAVAILABLE)
  expect(fake!.seen).toHaveLength(0)
  await app.line({ message: 'circuit opened by an operator' })
  await app.line({ message: 'check failed', 'service.target.name': 'upstream-payments' })
  const health = await fetchHealth(app)
  expect(health).toMatchObject({ code: 200, checks: { 'upstream-payments': { reason: 'unhealthy', critical: false } } })

  writeFileSync(SETTINGS_FILE, '{}')
  app.signal('SIGHUP')
  await app.line({ message: 'settings reloaded' })
  expect((await get(app)).status).toBe(200)
})

test('UPSTREAM_CONCURRENCY bounds the calls in progress, and UPSTREAM_TIMEOUT_MS their time', async () => {
  const [fake] = await startFakes(1)
  const arrived = Promise.withResolvers<void>()
  fake!.respond(() => {
    if (fake!.seen.length === 2) arrived.resolve()
  })
  const env = { UPSTREAMS: upstreamsOf([fake!]), UPSTREAM_CONCURRENCY: '2', UPSTREAM_TIMEOUT_MS: '2000' }
  const app = await startApp({ env })
  const waiting = [get(app), get(app)]
  await arrived.promise
  expect(await get(app)).toMatchObject(UNAVAILABLE)
  for (const response of waiting) expect(await response).toMatchObject({ status: 504 })
})

test('a name is resolved by the system, and a stop waits for the calls in progress', async () => {
  const [fake] = await startFakes(1)
  const app = await startApp({ env: { UPSTREAMS: `payments=dns://localhost:${fake!.port}`, DRAIN_DELAY_MS: '0' } })
  const arrived = Promise.withResolvers<() => void>()
  fake!.respond((_req, res) =>
    arrived.resolve(() => void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(PAYMENT))),
  )
  const response = get(app)
  const finish = await arrived.promise
  expect(fake!.seen[0]!.headers.host).toBe(`localhost:${fake!.port}`)
  app.signal('SIGTERM')
  await app.line({ message: 'draining' })
  finish()
  expect(await response).toEqual({ status: 200, body: PAYMENT })
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

test('an instance with TLS serves a service that trusts its authority, and no other service', async () => {
  const directory = temporaryDirectory('tls')
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject], { stdio: 'ignore' })
  const server = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_req, res) => {
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(PAYMENT))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const UPSTREAMS = `payments=dns+https://localhost:${(server.address() as AddressInfo).port}`
  const trusting = await startApp({ env: { UPSTREAMS, NODE_EXTRA_CA_CERTS: cert } })
  expect(await get(trusting)).toEqual({ status: 200, body: PAYMENT })
  expect(await get(await startApp({ env: { UPSTREAMS } }))).toMatchObject(UNAVAILABLE)
  await killApps()
  server.close()
})

test('without UPSTREAMS the paths do not exist, and no code of calls is loaded', async () => {
  const paths = [
    'internal/(?:telemetry/)?(?:log-)?upstream',
    'internal/(?:handler|service)/payments',
    'pkg/upstream/(?!problems)',
  ]
  const { program, list } = reportModules([...paths, 'node_modules/cockatiel/'].join('|'))
  const without = await startApp({ program })
  expect((await fetch(`${without.url}/v1/payments/pay_1`)).status).toBe(404)
  expect(list(without)).toEqual([])
  const [fake] = await startFakes(1)
  const app = await startApp({ program, env: { UPSTREAMS: upstreamsOf([fake!]) } })
  expect(list(app)).toEqual(expect.arrayContaining(['internal/upstreams.ts', 'pkg/upstream/upstream.ts']))
  expect(list(app).join()).toContain('node_modules/cockatiel/')
})
