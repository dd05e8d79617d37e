import { expect, test } from '@jest/globals'
import { groupOptions } from './options.ts'
import { createSettings } from './settings.ts'

const describe = (environment: Record<string, string>) => groupOptions(createSettings(environment).current()).exporter

test('without an endpoint, the other variables have no effect and the service exports no spans', () => {
  expect(describe({ OTEL_SERVICE_NAME: 'orders', OTEL_TRACES_SAMPLER: 'always_on' })).toBeUndefined()
})

test('OTEL_SDK_DISABLED turns the export off even when an endpoint is set', () => {
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector:4318'
  expect(describe({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeUndefined()
  expect(describe({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: 'false' })).toBeDefined()
})

test('the defaults are those of OpenTelemetry', () => {
  expect(describe({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })).toEqual({
    url: 'http://collector:4318/v1/traces',
    headers: {},
    timeoutMs: 10_000,
    resource: {},
    scheduleDelayMs: 5_000,
    exportTimeoutMs: 30_000,
    maxQueueSize: 2_048,
    maxBatchSize: 512,
    sampler: { name: 'parentbased_always_on', ratio: 1 },
  })
})

test.each([
  ['http://collector:4318/', undefined, 'http://collector:4318/v1/traces'],
  ['https://example.com/otlp/', undefined, 'https://example.com/otlp/v1/traces'],
  ['http://collector:4318', 'http://other/spans', 'http://other/spans'],
  [undefined, 'http://other/', 'http://other/'],
])('endpoint %s and traces endpoint %s export to %s', (all, traces, url) => {
  const environment = {
    ...(all !== undefined && { OTEL_EXPORTER_OTLP_ENDPOINT: all }),
    ...(traces !== undefined && { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces }),
  }
  expect(describe(environment)?.url).toBe(url)
})

test.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user:password@collector:4318'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=1'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%0A'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'zone'],
  ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.1'],
  ['OTEL_TRACES_SAMPLER_ARG', '-0.1'],
  ['OTEL_TRACES_SAMPLER_ARG', '1e-3'],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '4096'],
])('%s=%s is a problem of the configuration', (name, value) => {
  expect(() => describe({ [name]: value })).toThrow(name)
})

test('the group of a module that is off is undefined', () => {
  const { log, stop, address, admin, timeouts, http, ...optional } = groupOptions(createSettings({}).current())
  expect(Object.keys(optional)).toEqual(expect.arrayContaining(['exporter', 'database', 'redis', 'access']))
  expect(Object.values(optional).filter((group) => group !== undefined)).toEqual([])
})

test('a free port may replace only the default ADMIN_PORT', () => {
  const admin = (environment: Record<string, string>) => groupOptions(createSettings(environment).current()).admin
  expect(admin({})).toEqual({ port: 9464, canMove: true })
  expect(admin({ ADMIN_PORT: '9464' })).toEqual({ port: 9464, canMove: false })
  expect(admin({ ADMIN_PORT: '0' })).toEqual({ port: 0, canMove: false })
})

test('sessions let the pages of other origins send cookies, over TLS only in production', () => {
  const environment = {
    AUTH_JWKS_URL: 'https://issuer.example.com/jwks.json',
    AUTH_ISSUER: 'issuer',
    AUTH_AUDIENCE: 'orders',
    CORS_ORIGINS: 'https://app.example.com',
    REDIS_URL: 'redis://redis:6379',
  }
  const group = (more: object) => groupOptions(createSettings({ ...environment, ...more }).current())
  const { access, http } = group({})
  expect(access).toMatchObject({ issuer: 'issuer', sessions: undefined })
  expect(http.cors).toEqual({ origins: ['https://app.example.com'], credentials: false })
  for (const [NODE_ENV, secure] of [
    ['production', true],
    ['test', false],
  ] as const) {
    const { access, http } = group({ NODE_ENV, SESSION_SECRET: 'x'.repeat(32) })
    expect(access?.sessions).toMatchObject({ secure, origins: ['https://app.example.com'] })
    expect(http.cors?.credentials).toBe(true)
  }
})
