import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { findLines, killApps, type RunningApp, startApp } from './support/app.ts'
import { type Issuer, startIssuer } from './support/issuer.ts'
import { reportModules } from './support/loaded-modules.ts'
import { startMeasured } from './support/metrics.ts'
import { type ReceivedSpan, type Receiver, startReceiver } from './support/otlp-receiver.ts'
import { freePort, type TestService, testRedis, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const SAMPLED = { traceparent: `00-${TRACE}-${SPAN}-01` }

let receiver: Receiver
beforeAll(async () => {
  receiver = await startReceiver()
})
afterAll(() => receiver.stop())
afterEach(async () => {
  await killApps()
  receiver.spans.length = 0
  receiver.requests.length = 0
})

const exporting = (env: Record<string, string> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
  OTEL_BSP_SCHEDULE_DELAY: '20',
  ...env,
})

async function get({ url }: Pick<RunningApp, 'url'>, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(url + path, { headers })
  await response.arrayBuffer()
  return response
}

const isServer = ({ kind }: ReceivedSpan) => kind === 2
const isClient = ({ kind }: ReceivedSpan) => kind === 3

describe('a request', () => {
  test('is a span that continues the trace of the caller, with the attributes of OpenTelemetry', async () => {
    const app = await startApp({ env: exporting({ SERVICE_NAME: 'orders' }) })
    const before = BigInt(Date.now()) * 1_000_000n
    const response = await get(app, '/ping?token=hunter2', SAMPLED)
    const span = await receiver.span(isServer)
    const line = await app.line({ 'trace.id': TRACE })
    expect(span).toMatchObject({
      name: 'GET /ping',
      traceId: TRACE,
      spanId: line['span.id'],
      parentSpanId: SPAN,
      status: { code: 0 },
      resource: {
        'service.name': 'orders',
        'service.version': expect.any(String),
        'telemetry.sdk.name': 'opentelemetry',
        'telemetry.sdk.language': 'nodejs',
        'telemetry.sdk.version': expect.any(String),
      },
    })
    expect(span.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/ping',
      'http.response.status_code': 200,
      'http.request.id': response.headers.get('x-request-id'),
      'url.scheme': 'http',
      'url.path': '/ping',
      'network.protocol.version': '1.1',
      'client.address': '127.0.0.1',
    })
    // The clocks of this process and of the service may differ by a few milliseconds.
    expect(span.startTimeUnixNano).toBeGreaterThan(before - 100_000_000n)
    expect(span.endTimeUnixNano).toBeGreaterThan(span.startTimeUnixNano)
    expect(span.endTimeUnixNano).toBeLessThan(BigInt(Date.now() + 100) * 1_000_000n)
  })

  test('of an unknown path has its method as the name, and no span has the path of a probe or a scrape', async () => {
    const { app, scrape } = await startMeasured(exporting())
    for (const path of ['/health', '/health/live', '/health/ready', '/health/startup']) await get(app, path, SAMPLED)
    await scrape()
    await get(app, '/nothing', SAMPLED)
    await receiver.span(isServer)
    app.signal('SIGINT')
    await app.ended
    expect(
      receiver.spans.map(({ name, attributes }) => [name, attributes['url.path'], attributes['http.route']]),
    ).toEqual([['GET', '/nothing', undefined]])
  })

  test('with a server error is a failed span', async () => {
    const issuer = await startIssuer()
    issuer.close()
    const app = await startApp({ env: exporting({ ...issuer.env, FEATURES: 'version' }) })
    const headers = { ...SAMPLED, authorization: `Bearer ${await issuer.token()}` }
    expect((await get(app, '/version', headers)).status).toBe(503)
    expect(await receiver.span(isServer)).toMatchObject({
      name: 'GET /version',
      status: { code: 2 },
      attributes: { 'http.response.status_code': 503, 'error.type': '503' },
    })
    expect(await receiver.span(isClient)).toMatchObject({ status: { code: 2 } })
  })
})

describe('the children of a request', () => {
  let redis: TestService
  let issuer: Issuer
  beforeAll(async () => {
    ;[redis, issuer] = await Promise.all([testRedis(), startIssuer()])
  })
  afterAll(async () => {
    issuer.close()
    await redis.stop()
  })

  test('are its Redis commands and its outgoing calls, which continue the trace', async () => {
    const env = { ...issuer.env, REDIS_URL: redis.url, RATE_LIMIT: '1000', FEATURES: 'version' }
    const app = await startApp({ env: exporting(env) })
    await until(async () => (await get(app, '/health/ready')).ok)
    await get(app, '/version', { ...SAMPLED, tracestate: 'rojo=1', authorization: `Bearer ${await issuer.token()}` })
    const server = await receiver.span(isServer)
    await until(() => receiver.spans.length === 3)
    const [command, call] = ['EVAL', 'GET'].map((name) => receiver.spans.find((span) => span.name === name))
    expect(command).toMatchObject({ kind: 3, traceId: TRACE, parentSpanId: server.spanId })
    expect(command?.attributes).toEqual({
      'db.system.name': 'redis',
      'db.operation.name': 'EVAL',
      'db.query.summary': 'EVAL',
      'db.namespace': '0',
      'server.address': '127.0.0.1',
      'server.port': redis.port,
    })
    expect(call).toMatchObject({ kind: 3, traceId: TRACE, parentSpanId: server.spanId })
    expect(call?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.full': issuer.env['AUTH_JWKS_URL'],
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(issuer.env['AUTH_JWKS_URL'] ?? '').port),
    })
    expect(issuer.downloads.at(-1)).toMatchObject({
      traceparent: `00-${TRACE}-${call?.spanId}-01`,
      tracestate: 'rojo=1',
    })
  })

  test('do not exist without an exporter, but outgoing calls continue the trace of the caller', async () => {
    const app = await startApp({ env: { ...issuer.env, FEATURES: 'version', TRUST_PROXY: '1' } })
    await get(app, '/version', { ...SAMPLED, authorization: `Bearer ${await issuer.token()}` })
    expect(issuer.downloads.at(-1)).toMatchObject(SAMPLED)
    expect(receiver.requests).toEqual([])
  })
})

describe('the variables of OpenTelemetry', () => {
  test.each([
    ['always_on', '', '0', true],
    ['always_off', '', '1', false],
    ['parentbased_always_off', '', '1', true],
    ['parentbased_always_off', '', '0', false],
    ['traceidratio', '0', '1', false],
    ['parentbased_traceidratio', '1', '0', true],
  ])('OTEL_TRACES_SAMPLER=%s, argument %j, TRUST_PROXY=%s: a sampled request is recorded: %s', async (...row) => {
    const [OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, TRUST_PROXY, isRecorded] = row
    const app = await startApp({ env: exporting({ OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, TRUST_PROXY }) })
    await get(app, '/ping', SAMPLED)
    app.signal('SIGINT')
    await app.ended
    expect(receiver.spans.length).toBe(Number(isRecorded))
  })

  test('name the service, its attributes, the headers and the whole URL', async () => {
    const app = await startApp({
      env: exporting({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/spans`,
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc,x-tenant=a',
        OTEL_SERVICE_NAME: 'orders api',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=staging,service.name=other,zone=a%2Cb',
      }),
    })
    await get(app, '/ping')
    const { resource } = await receiver.span(isServer)
    expect(resource).toMatchObject({
      'service.name': 'orders api',
      'deployment.environment.name': 'staging',
      zone: 'a,b',
    })
    expect(receiver.requests[0]).toMatchObject({
      path: '/spans',
      headers: { authorization: 'Bearer abc', 'x-tenant': 'a', 'content-type': 'application/json' },
    })
  })
})

test('without an endpoint no code for traces is loaded', async () => {
  const { program, list } = reportModules(
    'internal/telemetry/tracing|pkg/tracing/|node_modules/@opentelemetry/(?!api/|semantic-conventions/)',
  )
  const app = await startApp({ program })
  await get(app, '/ping', SAMPLED)
  await app.line({ message: 'request' })
  expect(list(app)).toEqual([])
  const loaded = list(await startApp({ program, env: exporting() }))
  expect(loaded).toEqual(expect.arrayContaining(['internal/telemetry/tracing.ts', 'pkg/tracing/otlp.ts']))
  expect(loaded.join()).toContain('node_modules/@opentelemetry/sdk-trace/')
})

test('the ids of a request and its trace need no node:crypto', async () => {
  const hook = join(temporaryDirectory('crypto'), 'hook.cjs')
  const report = "JSON.stringify({ test: true, message: 'modules', hasCrypto })"
  writeFileSync(
    hook,
    `process.on('exit', () => {
      const hasCrypto = process.moduleLoadList.includes('NativeModule crypto')
      require('node:fs').writeSync(1, ${report} + '\\n')
    })`,
  )
  const app = await startApp({ artifact: 'bundle', nodeOptions: `--require=${hook}`, env: { DRAIN_DELAY_MS: '0' } })
  expect((await get(app, '/ping')).headers.get('x-request-id')).toBeTruthy()
  app.signal('SIGTERM')
  await app.ended
  expect(findLines(app, 'modules')).toMatchObject([{ hasCrypto: false }])
})

describe('a stop', () => {
  test('exports the spans that wait for their batch', async () => {
    const app = await startApp({ env: exporting({ OTEL_BSP_SCHEDULE_DELAY: '600000', DRAIN_DELAY_MS: '0' }) })
    for (let count = 0; count < 3; count++) await get(app, '/ping')
    expect(receiver.spans).toEqual([])
    app.signal('SIGTERM')
    expect(await app.ended).toMatchObject({ code: 0 })
    expect(receiver.spans).toHaveLength(3)
  })

  test('ends with code 0 when the collector hangs or refuses connections, and logs the loss', async () => {
    receiver.behave('hang')
    const collectors = [receiver.url, `http://127.0.0.1:${await freePort()}`]
    // The stop with the collector that hangs takes the three seconds of the last export.
    const stop = async (url: string) => {
      const app = await startApp({ env: exporting({ OTEL_EXPORTER_OTLP_ENDPOINT: url, DRAIN_DELAY_MS: '0' }) })
      await get(app, '/ping')
      app.signal('SIGTERM')
      return { app, ended: await app.ended }
    }
    const stops = await Promise.all(collectors.map(stop))
    receiver.behave('ok')
    for (const { app, ended } of stops) {
      expect(ended).toMatchObject({ code: 0 })
      expect(findLines(app, 'spans lost')).toHaveLength(1)
      expect(findLines(app, 'part failed to stop')).toEqual([])
    }
  })
})
