import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { exchange, type Origin } from './exchange.ts'
import { closeAll, closeLater, refusingPort } from './fakes.ts'
import { createPool, type PoolEvent } from './pool.ts'

afterEach(closeAll)

const countActive = ({ list }: ReturnType<typeof createPool>) =>
  list().filter(({ ejection }) => ejection.probeAt === undefined).length

/** Starts instances that respond to probes with these statuses, and a pool with a clock that the test controls. */
async function start(statuses: readonly number[]) {
  const clock = { now: 0 }
  const statusByPort = new Map<number, number>()
  const probes: number[] = []
  const origins: Origin[] = []
  for (const status of statuses) {
    const server = createServer((_req, res) => {
      const { port } = server.address() as AddressInfo
      probes.push(port)
      res.writeHead(statusByPort.get(port) ?? 500).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    closeLater(server)
    const { port } = server.address() as AddressInfo
    statusByPort.set(port, status)
    origins.push({ protocol: 'http:', host: '127.0.0.1', port, authority: `127.0.0.1:${port}` })
  }
  const events: PoolEvent[] = []
  const pool = createPool({
    now: () => clock.now,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
  })
  pool.update(origins)
  closeLater({ close: () => pool.stop() })
  const eject = (index: number) => {
    const instance = pool.list()[index]!
    for (let failures = 0; failures < 3; failures++) pool.record(instance, 'failed')
    return instance
  }
  const respond = (index: number, status: number) => void statusByPort.set(origins[index]!.port, status)
  return { pool, clock, probes, events, eject, respond }
}

test('an instance that is not ready gets more expensive in use, and stays ejected when it is ejected', async () => {
  const { pool, clock, eject, respond } = await start([503, 503])
  const ejected = eject(0)
  clock.now = 2_000
  expect(await pool.probe(false)).toBe(false)
  expect(ejected.ejection.probeAt).toBe(4_000)
  const active = pool.list()[1]!
  expect(active.load.success).toBe(0.9)
  expect(active.ejection).toMatchObject({ failures: 0, probeAt: undefined })
  respond(0, 200)
  clock.now = 3_999
  await pool.probe(false)
  expect(countActive(pool)).toBe(1)
  clock.now = 4_000
  expect(await pool.probe(false)).toBe(true)
  expect(countActive(pool)).toBe(2)
})

test('an upstream without the path of the probe works too', async () => {
  const { pool } = await start([404])
  expect(await pool.probe(false)).toBe(true)
})

test('while the circuit waits for a probe, every instance in use is probed twice a second', async () => {
  const { pool, clock, probes } = await start([200, 200])
  await pool.probe(false)
  expect(probes).toHaveLength(2)
  clock.now = 499
  await pool.probe(true)
  expect(probes).toHaveLength(2)
  clock.now = 500
  await pool.probe(true)
  expect(probes).toHaveLength(4)
  clock.now = 1_000
  await pool.probe(false)
  expect(probes).toHaveLength(4)
})

test.each([
  ['the circuit waits for a probe', true, 0],
  ['every instance fails', false, 1],
])('while %s, an ejected instance is probed before its ejection has ended', async (_name, isUrgent, ejections) => {
  const { pool, clock, eject } = await start([200, 503])
  const ejected = eject(0)
  for (let count = 0; count < ejections; count++) eject(1)
  clock.now = 500
  await pool.probe(isUrgent)
  expect(ejected.ejection.probeAt).toBeUndefined()
  expect(pool.pick(new Set([pool.list()[1]!]))).toBe(ejected)
})

test('an instance with a request in flight needs no probe', async () => {
  const { pool, probes } = await start([200])
  const done = pool.list()[0]!.begin(0)
  await pool.probe(false)
  expect(probes).toHaveLength(0)
  done()
  await pool.probe(false)
  expect(probes).toHaveLength(1)
})

test('an ejection closes the idle connections, which may lead to a machine that no longer exists', async () => {
  const { pool, eject } = await start([200, 200])
  const { origin, agent } = pool.list()[0]!
  await exchange({ origin, agent, method: 'GET', path: '/', headers: {}, timeoutMs: 5_000, maxBytes: 1_000 })
  const [socket] = Object.values(agent.freeSockets).flat()
  expect(socket?.destroyed).toBe(false)
  eject(0)
  expect(socket?.destroyed).toBe(true)
})

test('an instance that the source no longer lists loses its connections when its requests have ended', async () => {
  const { pool } = await start([200, 200])
  const [gone, other] = pool.list()
  const { origin, agent } = gone!
  await exchange({ origin, agent, method: 'GET', path: '/', headers: {}, timeoutMs: 5_000, maxBytes: 1_000 })
  const [socket] = Object.values(agent.freeSockets).flat()
  const done = gone!.begin(0)
  pool.update([other!.origin])
  expect(pool.list()).toEqual([other])
  expect(socket?.destroyed).toBe(false)
  done()
  expect(socket?.destroyed).toBe(true)
})

test('the last instance in use stays in use, and is ejected when another instance is back', async () => {
  const { pool, clock, eject, events } = await start([200, 200])
  eject(0)
  const last = eject(1)
  expect(countActive(pool)).toBe(1)
  expect(pool.pick(new Set([last]))).toBe(last)
  clock.now = 2_000
  await pool.probe(false)
  // The probe of the last instance succeeded too, so its failures no longer count.
  expect(last.ejection.failures).toBe(0)
  expect(events.map(({ type }) => type)).toEqual(['instances changed', 'instance ejected', 'instance back'])
})

test('when the source removes the last instance in use, the ejected instances are in use again', async () => {
  const { pool, eject, events } = await start([200, 200])
  const ejected = eject(0)
  pool.update([ejected.origin])
  expect(pool.pick(new Set())).toBe(ejected)
  expect(pool.pick(new Set([ejected]))).toBe(ejected)
  expect(events.map(({ type }) => type)).toEqual([
    'instances changed',
    'instance ejected',
    'instances changed',
    'instance back',
  ])
})

test('an instance that the source has removed is not ejected', async () => {
  const { pool, events } = await start([200, 200])
  const [gone, other] = pool.list()
  pool.update([other!.origin])
  for (let failures = 0; failures < 3; failures++) pool.record(gone!, 'failed')
  expect(events.map(({ type }) => type)).toEqual(['instances changed', 'instances changed'])
})

test('a retry prefers an instance that it has not tried, however expensive', async () => {
  const { pool } = await start([200, 200])
  const [cheap, busy] = pool.list()
  for (let requests = 0; requests < 5; requests++) busy!.begin(0)
  expect(pool.pick(new Set())).toBe(cheap)
  expect(pool.pick(new Set([cheap!]))).toBe(busy)
})

test('an instance without requests that refuses three probes is ejected before it meets a request', async () => {
  const { pool, clock } = await start([200, 200])
  const [dead] = pool.list()
  pool.update([{ ...dead!.origin, port: await refusingPort() }, pool.list()[1]!.origin])
  for (clock.now = 0; clock.now < 15_000; clock.now += 5_000) await pool.probe(false)
  expect(countActive(pool)).toBe(1)
})

test('a backup gets requests only while every instance of a lower rank is ejected, or after they were tried', async () => {
  const { pool, clock, eject } = await start([200, 200, 200])
  const [first, second, backup] = pool.list()
  pool.update(pool.list().map(({ origin }) => ({ ...origin, rank: origin === backup!.origin ? 20 : 10 })))
  first!.begin(0)
  second!.begin(0)
  expect(pool.pick(new Set())).not.toBe(backup)
  expect(pool.pick(new Set([first!]))).toBe(second)
  expect(pool.pick(new Set([first!, second!]))).toBe(backup)
  eject(0)
  expect(pool.pick(new Set())).toBe(second)
  eject(1)
  expect(pool.pick(new Set())).toBe(backup)
  clock.now = 4_000
  await pool.probe(false)
  expect([first, second]).toContain(pool.pick(new Set()))
})
