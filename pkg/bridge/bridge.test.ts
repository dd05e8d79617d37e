import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type BridgeEvent, createBridge } from './bridge.ts'
import { type Endpoint, type Instance, toKey } from './endpoints.ts'
import { createStateFile } from './state-file.ts'

let directory: string
let path: string
const open: { stop(): Promise<void> }[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bridge-'))
  path = join(directory, 'state.json')
})
afterEach(async () => {
  for (const each of open.splice(0)) await each.stop()
  rmSync(directory, { recursive: true, force: true })
})

const list = (...numbers: number[]) => numbers.map((n): Instance => ({ id: `i${n}`, host: `10.0.0.${n}`, port: 80 }))
const keys = (...numbers: number[]) => numbers.map((n) => `10.0.0.${n}:80`)

/** Only Linux has a device that is always full. */
const testOnLinux = existsSync('/dev/full') ? test : test.skip

/** Starts a bridge between a registry and a proxy that the test controls. */
async function start({ graceMs = 3_600_000, allowEmpty = false } = {}) {
  const events: BridgeEvent[] = []
  const published: string[][] = []
  let failure: Error | undefined
  let happened = Promise.withResolvers<void>()
  const notify = () => {
    happened.resolve()
    happened = Promise.withResolvers()
  }
  let registry: { onInstances(instances: readonly Instance[]): void; onError(error: Error): void } | undefined
  const bridge = createBridge({
    ...{ graceMs, allowEmpty, retryMs: 1 },
    async watch(onInstances, onError, signal) {
      registry = { onInstances, onError }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
    sink: {
      async publish(endpoints: readonly Endpoint[]) {
        if (failure !== undefined) throw failure
        published.push(endpoints.map(toKey))
        notify()
      },
    },
    state: createStateFile(path, 'orders'),
    onEvent(event) {
      events.push(event)
      notify()
    },
  })
  await bridge.start()
  open.push(bridge)
  return {
    events,
    published,
    types: () => events.map(({ type }) => type),
    registry: registry!,
    failWith(error: Error | undefined) {
      failure = error
    },
    async until(condition: () => unknown) {
      while (!condition()) await happened.promise
    },
    async stop() {
      open.splice(0)
      await bridge.stop()
    },
  }
}

test('each list of the registry reaches the proxy, and each change is one event', async () => {
  const { registry, published, events, until } = await start()
  registry.onInstances(list(1, 2, 3, 4, 5))
  await until(() => published.length === 1)
  registry.onInstances(list(1, 2, 3, 4, 5))
  registry.onInstances(list(1, 2, 6))
  await until(() => published.length === 2)
  expect(published).toEqual([keys(1, 2, 3, 4, 5), keys(1, 2, 6)])
  expect(events).toEqual([
    { type: 'instances changed', added: keys(1, 2, 3, 4, 5), removed: [], count: 5 },
    { type: 'instances changed', added: keys(6), removed: keys(3, 4, 5), count: 3 },
  ])
})

test('a registry that fails, and starts again empty, changes nothing at the proxy', async () => {
  const { registry, published, types, until, stop } = await start()
  registry.onInstances(list(1, 2, 3))
  await until(() => published.length === 1)
  registry.onError(new Error('down'))
  registry.onError(new Error('down'))
  registry.onInstances([])
  registry.onInstances([])
  registry.onInstances(list(2))
  registry.onInstances(list(2, 1))
  registry.onInstances(list(1, 2, 3))
  await stop()
  expect(published).toEqual([keys(1, 2, 3)])
  expect(types()).toEqual(['instances changed', 'registry lost', 'registry back', 'registry empty', 'removals held'])
})

test('an outage is reported once for each kind of error', async () => {
  const { registry, events } = await start()
  const refused = (text: string) => Object.assign(new Error(text), { code: 'ECONNREFUSED' })
  registry.onError(refused('at 10:00'))
  registry.onError(refused('at 10:01'))
  registry.onError(Object.assign(new Error('wrong password'), { status: 403 }))
  registry.onError(refused('at 10:02'))
  registry.onInstances(list(1))
  registry.onError(refused('at 10:03'))
  expect(events.map((event) => ('error' in event ? event.error.message : event.type))).toEqual([
    'at 10:00',
    'wrong password',
    'registry back',
    'instances changed',
    'at 10:03',
  ])
})

test('an instance that does not register again is removed after the grace period', async () => {
  const { registry, published, events, until } = await start({ graceMs: 20 })
  registry.onInstances(list(1, 2))
  await until(() => published.length === 1)
  registry.onError(new Error('down'))
  registry.onInstances(list(1))
  await until(() => published.length === 2)
  expect(published[1]).toEqual(keys(1))
  expect(events.slice(3)).toEqual([
    { type: 'removals held', endpoints: keys(2) },
    { type: 'instances changed', added: [], removed: keys(2), count: 1 },
  ])
})

test('a registry that is lost during the grace period removes nothing', async () => {
  const { registry, published, types, stop } = await start({ graceMs: 1 })
  registry.onInstances(list(1, 2))
  registry.onError(new Error('down'))
  registry.onInstances(list(1))
  registry.onError(new Error('down'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  await stop()
  expect(types().at(-1)).toBe('registry lost')
  expect(published.flat()).not.toHaveLength(0)
  expect(published.at(-1)).toEqual(keys(1, 2))
})

test('a bridge that starts while the registry is down publishes the saved list', async () => {
  const first = await start()
  first.registry.onInstances(list(1, 2))
  await first.until(() => first.published.length === 1)
  await first.stop()
  const second = await start()
  second.registry.onError(new Error('down'))
  await second.until(() => second.published.length === 1)
  expect(second.published).toEqual([keys(1, 2)])
  second.registry.onInstances(list(1))
  second.registry.onInstances(list(1, 3))
  await second.until(() => second.published.length === 2)
  expect(second.published[1]).toEqual(keys(1, 2, 3))
})

test('a damaged file is reported, and the bridge follows the registry', async () => {
  writeFileSync(path, '{"service":"orders","endpoints":[]}')
  const { registry, published, events, until } = await start()
  expect(events).toMatchObject([{ type: 'list not read', error: { message: expect.stringContaining('damaged') } }])
  registry.onInstances(list(1))
  await until(() => published.length === 1)
})

testOnLinux('a full disk is reported, and the list is saved once there is space', async () => {
  // The first write goes to a device that is always full.
  symlinkSync('/dev/full', `${path}.new`)
  const { registry, events, types, until } = await start()
  registry.onInstances(list(1))
  await until(() => types().includes('list saved again'))
  expect(events.find(({ type }) => type === 'list not saved')).toMatchObject({ error: { code: 'ENOSPC' } })
  expect(readFileSync(path, 'utf8')).toContain('10.0.0.1')
})

test('a file that cannot be written is reported once, and the proxy is updated', async () => {
  mkdirSync(`${path}.new`)
  const { registry, published, events, types, until } = await start()
  registry.onInstances(list(1))
  await until(() => types().includes('list not saved'))
  registry.onInstances(list(1, 2))
  await until(() => published.length === 2)
  rmSync(`${path}.new`, { recursive: true })
  await until(() => types().includes('list saved again'))
  expect(events.filter(({ type }) => type === 'list not saved')).toHaveLength(1)
  expect(readFileSync(path, 'utf8')).toContain('10.0.0.2')
})

test('a proxy that is down gets the list once it is back', async () => {
  const { registry, published, types, failWith, until } = await start()
  failWith(new Error('proxy down'))
  registry.onInstances(list(1))
  await until(() => types().includes('proxy not updated'))
  registry.onInstances(list(1, 2))
  failWith(undefined)
  await until(() => types().includes('proxy updated again'))
  expect(published.at(-1)).toEqual(keys(1, 2))
})

test('malformed instances never reach the proxy, and are reported once', async () => {
  const { registry, published, events, until, stop } = await start()
  const evil = { id: 'e', host: '10.0.0.9;\ninclude /etc/passwd', port: 80 }
  const worse = { ...evil, port: -1 }
  registry.onInstances([...list(1), evil, worse])
  registry.onInstances([worse, evil, ...list(1)])
  await until(() => published.length === 1)
  await stop()
  expect(published).toEqual([keys(1)])
  expect(events.filter(({ type }) => type === 'instances invalid')).toHaveLength(1)
  expect(readFileSync(path, 'utf8')).not.toContain('passwd')
})

test('a list of malformed instances only does not empty the proxy', async () => {
  const { registry, published, types, until, stop } = await start({ graceMs: 0 })
  registry.onInstances(list(1))
  await until(() => published.length === 1)
  registry.onInstances([{ id: 'e', host: 'x', port: 0 }])
  await stop()
  expect(types()).toEqual(['instances changed', 'instances invalid', 'registry empty'])
  expect(published).toEqual([keys(1)])
})

test('an empty list is published when it is allowed', async () => {
  const { registry, published, until } = await start({ graceMs: 1, allowEmpty: true })
  registry.onInstances(list(1))
  await until(() => published.length === 1)
  registry.onInstances([])
  await until(() => published.length === 2)
  expect(published[1]).toEqual([])
})

test('10,000 instances are published, and the next list removes one', async () => {
  const { registry, published, events, until } = await start()
  const many = Array.from({ length: 10_000 }, (_, i): Instance => ({ id: `${i}`, host: '10.0.0.1', port: i + 1 }))
  registry.onInstances(many)
  await until(() => published.length === 1)
  registry.onInstances(many.slice(1))
  await until(() => published.length === 2)
  expect(published[1]).toHaveLength(9_999)
  expect(events.at(-1)).toMatchObject({ added: [], removed: ['10.0.0.1:1'], count: 9_999 })
})
