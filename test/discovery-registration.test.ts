import { afterEach, describe, expect, test } from '@jest/globals'
import { type FakeRegistry, startFakeRegistry } from '#pkg/discovery/fakes.ts'
import { fetchHealth, killApps, runApp, startApp } from './support/app.ts'
import { reportModules } from './support/loaded-modules.ts'

const registries: FakeRegistry[] = []
afterEach(async () => {
  await killApps()
  for (const { stop } of registries.splice(0)) await stop()
})

async function startRegistry(options: Parameters<typeof startFakeRegistry>[0]): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options)
  registries.push(registry)
  return registry
}

/** With the defaults, two checks fail only after four seconds. Meanwhile the backoff of the registration doubles. */
const CHECKS = { HEALTH_INTERVAL_MS: '100', HEALTH_TIMEOUT_MS: '100' }

describe.each(['consul', 'nacos', 'eureka'] as const)('with %s', (kind) => {
  test('a ready service is registered, and SIGTERM deregisters it before the drain delay begins', async () => {
    const registry = await startRegistry({ kind, password: 's3cret' })
    const REGISTRY_PASSWORD = 's3cret'
    const app = await startApp({ env: { REGISTRY: registry.url, REGISTRY_PASSWORD, DRAIN_DELAY_MS: '1' } })
    await app.line({ message: 'registered', 'server.port': app.port })
    const [entry] = registry.entries.values()
    expect(entry).toMatchObject({ port: app.port, isReady: true })

    const confirmed = Promise.withResolvers<void>()
    registry.setFault(confirmed.promise)
    app.signal('SIGTERM')
    await registry.until(() => registry.calls.includes('deregister'))
    // The delay of 1 ms would have closed the listener before the last of these connections.
    for (let sent = 0; sent < 10; sent++) {
      const ping = await fetch(`${app.url}/ping`)
      expect(ping.status).toBe(200)
      expect(ping.headers.get('connection')).toBe('close')
    }
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(503)
    confirmed.resolve()
    expect(await app.ended).toEqual({ code: 0, signal: null })
    expect(registry.entries.size).toBe(0)
    const messages = app.lines.map(({ message }) => message)
    const order = ['registered', 'draining', 'deregistered', 'stopped']
    expect(messages.filter((message) => order.includes(String(message)))).toEqual(order)
  })

  test('a service starts and is ready without its registry, and is registered when the registry starts', async () => {
    const registry = await startRegistry({ kind })
    await registry.stop()
    const app = await startApp({ env: { ...CHECKS, REGISTRY: registry.url, ADVERTISE: 'orders-1.internal:80' } })
    await app.line({ message: 'check failed', 'service.target.name': 'registry', 'App.health.critical': false })
    expect(await fetchHealth(app)).toMatchObject({
      code: 200,
      checks: { registry: { status: 'fail', critical: false, reason: 'refused' } },
    })
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
    await registry.restartEmpty()
    await app.line({ message: 'registered', 'server.address': 'orders-1.internal', 'server.port': 80 })
    expect([...registry.entries.values()]).toMatchObject([{ host: 'orders-1.internal', port: 80 }])
    await registry.stop()
    app.signal('SIGINT')
    await app.line({ message: 'not deregistered' })
    expect(await app.ended).toEqual({ code: 0, signal: null })
  })

  test('a wrong password is in no line of the log, and the service serves', async () => {
    const registry = await startRegistry({ kind, password: 's3cret' })
    const app = await startApp({ env: { ...CHECKS, REGISTRY: registry.url, REGISTRY_PASSWORD: 'wr0ng-passw0rd' } })
    expect(await app.line({ message: 'registration failed' })).toMatchObject({
      'error.message': expect.stringMatching(/: status 40[13], /),
    })
    await app.line({ message: 'check failed', 'service.target.name': 'registry', 'event.reason': 'unauthorized' })
    expect((await fetch(`${app.url}/ping`)).status).toBe(200)
    app.signal('SIGINT')
    await app.ended
    expect(JSON.stringify(app.lines)).not.toContain('wr0ng')
  })
})

test('app config masks the user and the password of the registry', async () => {
  const env = { REGISTRY: 'nacos://writer@nacos:8848/prod/orders', REGISTRY_PASSWORD: 's3cret' }
  const { stdout, code } = await runApp(['config'], { env })
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ REGISTRY: 'nacos://***@nacos:8848/prod/orders', REGISTRY_PASSWORD: '***' })
  expect(stdout).not.toMatch(/s3cret|writer/)
})

test('an invalid ADVERTISE is a problem of the configuration', async () => {
  const { code, stderr } = await runApp([], { env: { REGISTRY: 'consul://consul', ADVERTISE: 'orders' } })
  expect(code).toBe(78)
  expect(stderr).toContain('ADVERTISE: got "orders", expected host:port of this instance')
})

test('without REGISTRY, no code of the registration is loaded', async () => {
  const { program, list } = reportModules('internal/discovery|pkg/discovery/')
  expect(list(await startApp({ program }))).toEqual([])
  const registry = await startRegistry({ kind: 'consul' })
  const app = await startApp({ program, env: { REGISTRY: registry.url } })
  expect(list(app)).toEqual(expect.arrayContaining(['internal/discovery.ts', 'pkg/discovery/registration.ts']))
})
