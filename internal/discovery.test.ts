import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { afterEach, expect, test } from '@jest/globals'
import { Registry } from 'prom-client'
import { startFakeRegistry } from '#pkg/discovery/fakes.ts'
import type { Check } from '#pkg/health/index.ts'
import type { Phase } from '#pkg/lifecycle/index.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { createMetrics } from '#pkg/metrics/index.ts'
import { addMetrics, createDiscovery, type DiscoveryDeps, logRegistration } from './discovery.ts'

const open: (() => unknown)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const ADDRESS: AddressInfo = { address: '0.0.0.0', family: 'IPv4', port: 8081 }

/** Creates the discovery of a service that is ready. */
function create(registry: string, deps: Partial<DiscoveryDeps> = {}) {
  const lines: Record<string, unknown>[] = []
  const checks: { name: string; check: Check; critical?: () => boolean }[] = []
  const state = { phase: 'serving' as Phase, status: 'ok' as 'ok' | 'fail' }
  const waiting = new Set<() => void>()
  const part = createDiscovery({
    registry,
    password: undefined,
    advertise: undefined,
    service: 'orders',
    version: '1.2.3',
    listener: { address: () => ADDRESS },
    lifecycle: { phase: () => state.phase },
    health: {
      watch: (check) => void checks.push(check),
      snapshot: () => ({ status: state.status, timestamp: 0, checks: {}, history: {} }),
    },
    logger: createLogger({
      destination: {
        write(line: string) {
          lines.push(JSON.parse(line))
          for (const check of waiting) check()
        },
      },
    }),
    ...deps,
  })
  open.push(() => part.stop?.(new AbortController().signal))
  return {
    part,
    lines,
    check: checks[0]!,
    state,
    async line(message: string): Promise<Record<string, unknown>> {
      const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>()
      const check = () => {
        const line = lines.find((line) => line['message'] === message)
        if (line) resolve(line)
      }
      waiting.add(check)
      check()
      return promise
    },
  }
}

test('the default address is that of this machine towards the registry, with the port of the listener', async () => {
  const registry = await startFakeRegistry({ kind: 'eureka' })
  open.push(registry.stop)
  const { part, line, lines } = create(registry.url)
  part.start?.()
  const target = { 'service.target.name': 'registry', 'server.address': '127.0.0.1', 'server.port': 8081 }
  expect(await line('registered')).toMatchObject({ ...target, 'log.level': 'info', 'event.action': 'registered' })
  expect([...registry.entries.values()]).toEqual([
    { id: 'orders-127.0.0.1-8081', host: '127.0.0.1', port: 8081, isReady: true },
  ])
  await part.drain?.()
  expect(registry.entries.size).toBe(0)
  expect(lines.map(({ message }) => message)).toEqual(['registered', 'deregistered'])
})

test('an agent of Consul on this machine gets no address, because its clients use the address of the agent', async () => {
  const registry = await startFakeRegistry({ kind: 'consul' })
  open.push(registry.stop)
  const { part, line } = create(registry.url)
  part.start?.()
  await line('registered')
  expect([...registry.entries.values()]).toEqual([
    { id: `orders-${hostname()}-8081`, host: '', port: 8081, isReady: true },
  ])
})

test('ADVERTISE replaces the address and the port, also when it is a loopback address', async () => {
  const registry = await startFakeRegistry({ kind: 'consul' })
  open.push(registry.stop)
  const { part, line } = create(registry.url, { advertise: { host: '127.0.0.1', port: 80 } })
  part.start?.()
  await line('registered')
  expect([...registry.entries.values()]).toEqual([
    { id: 'orders-127.0.0.1-80', host: '127.0.0.1', port: 80, isReady: true },
  ])
})

test('a service on a socket file needs ADVERTISE', () => {
  const { part } = create('consul://127.0.0.1:8500', { listener: { address: () => '/run/app.sock' } })
  expect(() => part.start?.()).toThrow('the service listens on a socket file, so ADVERTISE must be set')
})

test.each([
  ['while it starts', { phase: 'starting' as Phase }],
  ['while a critical check fails', { status: 'fail' as const }],
])('an instance is not registered %s', async (_name, change) => {
  const registry = await startFakeRegistry({ kind: 'nacos' })
  open.push(registry.stop)
  let looks = 0
  const looked = Promise.withResolvers<void>()
  const { part, state, line } = create(registry.url, {
    lifecycle: {
      phase() {
        if (++looks === 2) looked.resolve()
        return state.phase
      },
    },
  })
  const ready = { ...state }
  Object.assign(state, change)
  part.start?.()
  await looked.promise
  expect(registry.calls).toEqual([])
  Object.assign(state, ready)
  await line('registered')
})

test('the registry and the log follow the readiness', async () => {
  const registry = await startFakeRegistry({ kind: 'eureka' })
  open.push(registry.stop)
  const { part, state, line, lines } = create(registry.url)
  part.start?.()
  await line('registered')
  state.status = 'fail'
  await line('instance out of service')
  state.status = 'ok'
  await line('instance in service')
  expect(lines.map(({ message }) => message)).toEqual(['registered', 'instance out of service', 'instance in service'])
})

test('the log has lines for an instance that the registry has lost and got back, and for a failed deregistration', () => {
  const lines: Record<string, unknown>[] = []
  const log = logRegistration(createLogger({ destination: { write: (line) => void lines.push(JSON.parse(line)) } }))
  const instance = { id: 'a', service: 'orders', version: '1', host: '', port: 8080, isReady: true }
  log({ type: 'forgotten', instance })
  log({ type: 'registered', instance, isAgain: true })
  log({ type: 'not deregistered', error: new Error('no response') })
  expect(lines).toMatchObject([
    { message: 'registration lost', 'log.level': 'warn', 'server.port': 8080 },
    { message: 'registered again', 'log.level': 'info' },
    { message: 'not deregistered', 'log.level': 'warn', 'error.message': 'no response' },
  ])
  expect(lines[0]).not.toHaveProperty('server.address')
})

test.each(['consul', 'nacos', 'eureka'] as const)(
  'a wrong password at %s is a warning without the password, and the check fails',
  async (kind) => {
    const registry = await startFakeRegistry({ kind, password: 'right' })
    open.push(registry.stop)
    const { part, line, lines, check } = create(registry.url, { password: 'wr0ng-s3cret' })
    await check.check(new AbortController().signal)
    part.start?.()
    expect(await line('registration failed')).toMatchObject({ 'log.level': 'warn', 'error.type': 'RegistryError' })
    await expect(check.check(new AbortController().signal)).rejects.toMatchObject({ reason: 'unauthorized' })
    expect(check).toMatchObject({ name: 'registry' })
    expect(check.critical?.()).toBe(false)
    expect(JSON.stringify(lines)).not.toContain('wr0ng')
  },
)

test('a registry that refuses connections is a warning with its address, and the service goes on', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const { part, line } = create(`nacos://127.0.0.1:${port}`)
  part.start?.()
  expect(await line('registration failed')).toMatchObject({
    'error.message': `no response: connect ECONNREFUSED 127.0.0.1:${port}`,
    'error.code': 'ECONNREFUSED',
  })
})

test('the registration is a gauge, and the calls to the registry count by operation and result', async () => {
  const metrics = createMetrics({ registry: new Registry() })
  open.push(metrics.stop)
  const render = async () => (await metrics.render()).text
  const calls = new Map<string, number>()
  let isRegistered = false
  addMetrics(metrics.sources, () => isRegistered, calls)
  expect(await render()).toContain('discovery_registered 0\n')
  isRegistered = true
  calls.set('register fail', 2).set('renew ok', 7)
  const text = await render()
  expect(text).toContain('discovery_registered 1\n')
  expect(text).toContain('discovery_calls_total{operation="register",result="fail"} 2\n')
  expect(text).toContain('discovery_calls_total{operation="renew",result="ok"} 7\n')
})
