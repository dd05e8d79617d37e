import { afterEach, describe, expect, test } from '@jest/globals'
import { connectRegistry } from './connect.ts'
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from './fakes.ts'
import { createRegistration, type RegistrationEvent } from './registration.ts'
import type { Registry } from './registry.ts'
import { parseRegistry } from './registry-address.ts'
import { createRegistryClient } from './registry-client.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const KINDS = ['consul', 'nacos', 'eureka'] as const

async function startRegistry(options: FakeRegistryOptions): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options)
  open.push(registry.stop)
  return registry
}

/** Creates the registry of an address. It renews every 20 ms. */
function connect(url: string, password?: string, timeoutMs = 2_000): Registry {
  const address = parseRegistry(url)
  const client = createRegistryClient({ origin: address.origin, timeoutMs, maxBytes: 1_000_000 })
  return { ...connectRegistry(address, { client, password }), renewIntervalMs: 20 }
}

interface Options {
  readonly password?: string
  readonly timeoutMs?: number
  readonly stopTimeoutMs?: number
}

/** Starts the registration of an instance. The test sets its readiness. */
function register(url: string, { password, timeoutMs, stopTimeoutMs }: Options = {}) {
  const events: RegistrationEvent[] = []
  const results: string[] = []
  const waiting = new Set<() => void>()
  const instance = { id: 'orders-10.0.0.5-8080', service: 'orders', version: '1.2.3', host: '10.0.0.5', port: 8080 }
  let isReady = true
  const registration = createRegistration({
    registry: connect(url, password, timeoutMs),
    locate: async () => instance,
    isReady: () => isReady,
    onCall: (operation, result) => results.push(`${operation} ${result}`),
    onEvent(event) {
      events.push(event)
      for (const check of waiting) check()
    },
    pollMs: 5,
    backoff: { minMs: 5, maxMs: 20 },
    ...(stopTimeoutMs !== undefined && { stopTimeoutMs }),
  })
  registration.start()
  open.push(registration.stop)
  const types = () => events.map(({ type }) => type)
  return {
    ...registration,
    events,
    results,
    types,
    setReady(next: boolean): void {
      isReady = next
    },
    /** Resolves when this number of events of a type have occurred. */
    async event(type: RegistrationEvent['type'], count = 1): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const check = () => types().filter((each) => each === type).length >= count && resolve()
      waiting.add(check)
      check()
      await promise
    },
  }
}

const isReadyIn = ({ entries }: FakeRegistry) => [...entries.values()].map(({ isReady }) => isReady)
const count = ({ calls }: FakeRegistry, call: string) => calls.filter((each) => each === call).length

describe.each(KINDS)('with %s', (kind) => {
  test('an instance is registered once, renewed, and removed by the stop', async () => {
    const registry = await startRegistry({ kind, password: 's3cret' })
    const { event, stop, events, report, results } = register(registry.url, { password: 's3cret' })
    await event('registered')
    expect([...registry.entries.values()]).toEqual([
      { id: expect.stringMatching(/10\.0\.0\.5/), host: '10.0.0.5', port: 8080, isReady: true },
    ])
    await registry.until(() => count(registry, 'renew') >= 4)
    expect(count(registry, 'register')).toBe(1)
    expect(report()).toEqual({ isRegistered: true, lastError: undefined })
    await stop()
    expect(registry.entries.size).toBe(0)
    expect(registry.calls.at(-1)).toBe('deregister')
    expect(events).toMatchObject([{ type: 'registered', isAgain: false }, { type: 'deregistered' }])
    expect(report().isRegistered).toBe(false)
    expect(new Set(results)).toEqual(new Set(['register ok', 'renew ok', 'deregister ok']))
  })

  test('the entry follows the readiness of the instance', async () => {
    const registry = await startRegistry({ kind })
    const { event, setReady, types } = register(registry.url)
    await event('registered')
    setReady(false)
    await event('out of service')
    expect(isReadyIn(registry)).toEqual([false])
    const renewals = count(registry, 'renew')
    await registry.until(() => count(registry, 'renew') >= renewals + 2)
    expect(isReadyIn(registry)).toEqual([false])
    setReady(true)
    await event('in service')
    expect(isReadyIn(registry)).toEqual([true])
    expect(types()).toEqual(['registered', 'out of service', 'in service'])
  })

  test('a forgotten instance is registered again', async () => {
    const registry = await startRegistry({ kind })
    const { event, types, events } = register(registry.url)
    await event('registered')
    registry.entries.clear()
    await event('registered', 2)
    expect(isReadyIn(registry)).toEqual([true])
    expect(types()).toEqual(['registered', 'forgotten', 'registered'])
    expect(events.at(-1)).toMatchObject({ isAgain: true })
  })

  test('a registry that is down and starts again empty gets the instance back, and the outage is one event', async () => {
    const registry = await startRegistry({ kind })
    const { event, types, events, report, results } = register(registry.url)
    await event('registered')
    await registry.stop()
    await event('failing')
    expect(report()).toMatchObject({ isRegistered: false, lastError: { code: expect.stringMatching(/^E|^UND_ERR/) } })
    await registry.restartEmpty()
    await event('registered', 2)
    expect(isReadyIn(registry)).toEqual([true])
    expect(events.at(-1)).toMatchObject({ type: 'registered', isAgain: true })
    expect(types().filter((type) => type === 'forgotten')).toEqual([])
    expect(results.some((result) => result.endsWith('fail'))).toBe(true)
    expect(report()).toEqual({ isRegistered: true, lastError: undefined })
  })

  test('a wrong password is one event that does not show the password', async () => {
    const registry = await startRegistry({ kind, password: 's3cret' })
    const { event, events, types, stop, report } = register(registry.url, { password: 'wr0ng' })
    await event('failing')
    const before = registry.calls.length
    await registry.until(() => registry.calls.length >= before + 3)
    expect(report()).toMatchObject({ isRegistered: false, lastError: { reason: 'unauthorized' } })
    await stop()
    expect(registry.entries.size).toBe(0)
    expect(types()).toEqual(['failing', 'not deregistered'])
    for (const { error } of events as { error?: Error }[]) expect(String(error?.stack)).not.toContain('wr0ng')
  })

  test.each([
    [
      'a wrong password that the response quotes',
      { status: 403, body: 'no user with wr0ng' },
      /status 403, "no user with \*{3}"/,
    ],
    ['an unknown namespace', { status: 404, body: 'namespace x\n not exist' }, /status 404, "namespace x not exist"/],
    ['garbage', { status: 200, body: '<html>portal</html>' }, /status 200, "<html>portal/],
    ['an error', { status: 500, body: 'x'.repeat(10_000) }, /status 500, "x{200}"$/],
  ] as const)(
    '%s is a failure with a short message, and its end registers the instance',
    async (_name, fault, message) => {
      const registry = await startRegistry({ kind })
      registry.setFault(fault)
      const { event, types, events } = register(registry.url, { password: 'wr0ng' })
      await registry.until(() => registry.calls.length >= 3)
      registry.setFault(undefined)
      await event('registered')
      expect(isReadyIn(registry)).toEqual([true])
      expect(types()).toEqual(['failing', 'registered'])
      const [first] = events as { error?: Error }[]
      expect(first?.error?.message).toMatch(message)
      expect(first?.error?.message).not.toContain('wr0ng')
    },
  )

  test('a registry that hangs is a failure with the reason timeout, and its end registers the instance', async () => {
    const registry = await startRegistry({ kind })
    registry.setFault('hang')
    const { event, types, events } = register(registry.url, { timeoutMs: 50 })
    await event('failing')
    registry.setFault(undefined)
    await event('registered')
    expect(types()).toEqual(['failing', 'registered'])
    expect(events[0]).toMatchObject({ error: { name: 'TimeoutError' } })
  })

  test('an oversized response is a failure', async () => {
    const registry = await startRegistry({ kind })
    registry.setFault('endless')
    const { event, events } = register(registry.url)
    await event('failing')
    expect(events[0]).toMatchObject({ error: { message: 'response of more than 1000000 bytes' } })
  })

  test('a stop does not wait for a registry that hangs', async () => {
    const registry = await startRegistry({ kind })
    const { event, stop, types, events } = register(registry.url, { stopTimeoutMs: 30, timeoutMs: 600_000 })
    await event('registered')
    registry.setFault('hang')
    const before = registry.calls.length
    await registry.until(() => registry.calls.length > before)
    await stop()
    expect(types()).toEqual(['registered', 'not deregistered'])
    expect(events[1]).toMatchObject({ error: { message: 'no response within 30 ms' } })
  })
})

const LOCATED = { id: 'a', service: 'orders', version: '1', host: '10.0.0.5', port: 8080 }

test('a stop waits for the registration in progress, so that the deregistration is the last call', async () => {
  const calls: string[] = []
  const started = Promise.withResolvers<void>()
  const confirmed = Promise.withResolvers<void>()
  const { start, stop } = createRegistration({
    registry: {
      renewIntervalMs: 1_000,
      async register() {
        started.resolve()
        await confirmed.promise
        calls.push('registered')
      },
      renew: async () => 'renewed',
      async deregister() {
        calls.push('deregistered')
      },
    },
    locate: async () => LOCATED,
    isReady: () => true,
    onEvent: () => {},
  })
  start()
  await started.promise
  const stopped = stop()
  confirmed.resolve()
  await stopped
  expect(calls).toEqual(['registered', 'deregistered'])
})

test('a stop ends a renewal that hangs, so that the deregistration has the whole time', async () => {
  const hanging = Promise.withResolvers<void>()
  const events: string[] = []
  const { start, stop } = createRegistration({
    registry: {
      renewIntervalMs: 1,
      register: async () => {},
      renew(_instance, signal) {
        hanging.resolve()
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
      deregister: async (_instance, signal) => signal.throwIfAborted(),
    },
    locate: async () => LOCATED,
    isReady: () => true,
    onEvent: ({ type }) => events.push(type),
    pollMs: 1,
    stopTimeoutMs: 100,
  })
  start()
  await hanging.promise
  await stop()
  expect(events).toEqual(['registered', 'deregistered'])
})

test('a stop deregisters the instance without waiting for a look-up that hangs', async () => {
  const located = Promise.withResolvers<void>()
  const events: string[] = []
  let looks = 0
  const { start, stop } = createRegistration({
    registry: {
      renewIntervalMs: 1,
      register: async () => {},
      renew: () => Promise.reject(new Error('down')),
      deregister: async (_instance, signal) => signal.throwIfAborted(),
    },
    async locate() {
      if (++looks === 1) return LOCATED
      located.resolve()
      return new Promise(() => {})
    },
    isReady: () => true,
    onEvent: ({ type }) => events.push(type),
    pollMs: 1,
    backoff: { minMs: 1, maxMs: 1 },
    stopTimeoutMs: 100,
  })
  start()
  await located.promise
  await stop()
  expect(events).toEqual(['registered', 'failing', 'deregistered'])
})

test('an instance whose address has changed leaves no entry of its old address', async () => {
  const registry = await startRegistry({ kind: 'eureka' })
  let port = 8080
  const { start, stop } = createRegistration({
    registry: connect(registry.url),
    locate: async () => ({ ...LOCATED, id: `a-${port}`, port }),
    isReady: () => true,
    onEvent: () => {},
    pollMs: 1,
    backoff: { minMs: 1, maxMs: 1 },
  })
  open.push(stop)
  start()
  await registry.until(() => registry.entries.has('a-8080'))
  port = 8081
  registry.setFault({ status: 500, body: '' })
  const before = registry.calls.length
  // A renewal and a registration at the new address fail.
  await registry.until(() => registry.calls.length >= before + 3)
  registry.setFault(undefined)
  await registry.until(() => registry.calls.includes('deregister'))
  expect([...registry.entries.keys()]).toEqual(['a-8081'])
})

test('a stop does not wait for a look-up that hangs', async () => {
  const located = Promise.withResolvers<void>()
  const events: string[] = []
  const { start, stop } = createRegistration({
    registry: connect('consul://127.0.0.1:1'),
    locate() {
      located.resolve()
      return new Promise(() => {})
    },
    isReady: () => true,
    onEvent: ({ type }) => events.push(type),
    stopTimeoutMs: 10,
  })
  start()
  await located.promise
  await stop()
  expect(events).toEqual([])
})

test('an instance that is not ready is not registered, and its stop calls no registry', async () => {
  const registry = await startRegistry({ kind: 'consul' })
  let looks = 0
  const looked = Promise.withResolvers<void>()
  const { start, stop } = createRegistration({
    registry: connect(registry.url),
    locate: async () => LOCATED,
    isReady() {
      if (++looks === 3) looked.resolve()
      return false
    },
    onEvent: () => {},
    pollMs: 1,
  })
  start()
  await looked.promise
  await stop()
  expect(registry.calls).toEqual([])
})

test('an address that cannot be found is a failure, and is searched again', async () => {
  const registry = await startRegistry({ kind: 'consul' })
  const registered = Promise.withResolvers<void>()
  const events: string[] = []
  let attempts = 0
  const { start, stop } = createRegistration({
    registry: connect(registry.url),
    async locate() {
      if (++attempts < 3) throw Object.assign(new Error('getaddrinfo ENOTFOUND consul'), { code: 'ENOTFOUND' })
      return { ...LOCATED, host: '' }
    },
    isReady: () => true,
    onEvent({ type }) {
      events.push(type)
      if (type === 'registered') registered.resolve()
    },
    backoff: { minMs: 1, maxMs: 1 },
  })
  open.push(stop)
  start()
  await registered.promise
  expect(events).toEqual(['failing', 'registered'])
  // Consul uses the address of its agent.
  expect(registry.entries.get('a')?.host).toBe('')
})

test('another cause of a failure is another event', async () => {
  const registry = await startRegistry({ kind: 'eureka' })
  registry.setFault({ status: 500, body: '' })
  const { event, events } = register(registry.url)
  await registry.until(() => registry.calls.length >= 3)
  registry.setFault({ status: 403, body: '' })
  await event('failing', 2)
  expect(events).toMatchObject([{ error: { status: 500 } }, { error: { status: 403 } }])
})
