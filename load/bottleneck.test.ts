import { expect, test } from '@jest/globals'
import { findBottleneck, findFirstBottleneck, type Measured } from './bottleneck.ts'
import type { Evidence } from './evidence.ts'

const cpu = (use: Partial<Record<'nginx' | 'service' | 'postgres' | 'redis' | 'payments', number>>) => {
  const { nginx = 0.1, service = 0.2, postgres = 0.1, redis = 0.05, payments = 0.05 } = use
  return [
    { name: 'nginx', kind: 'proxy', cpu: nginx },
    { name: 'service 1', kind: 'service', cpu: service },
    { name: 'postgres', kind: 'database', cpu: postgres },
    { name: 'redis', kind: 'redis', cpu: redis },
    { name: 'payments', kind: 'upstream', cpu: payments },
  ] as const
}

/** A step of an idle link on four cores. */
const step = (evidence: Partial<Evidence>, p99Ms = 50): Measured => ({
  p99Ms,
  evidence: {
    generator: { lagMs: 2, cpu: 0.1 },
    processes: cpu({}),
    machine: { cores: 4, busy: 0.2 },
    pool: { used: 3, open: 10, pending: 0, timeouts: 0 },
    loop: { utilization: 0.2, delayMs: 11 },
    upstream: { inFlight: 10, rejectedByConcurrency: 0 },
    database: { CPU: 0.5 },
    ...evidence,
  },
})

const busyPool = { used: 10, open: 10, pending: 12, timeouts: 40 }

test('a link with free resources has no bottleneck', () => {
  expect(findBottleneck(step({}))).toBeUndefined()
})

test('operations that wait for a connection while the database has CPU left name the pool, with its figures', () => {
  const found = findBottleneck(step({ pool: busyPool, database: { 'Timeout:PgSleep': 9.8, CPU: 0.2 } }))
  expect(found).toEqual({
    resource: 'pool',
    reason:
      '12 operations waited for a connection on average, 10 connections were in use, 40 operations got no connection in time, the database used only 0.10 cores, 9.80 backends waited for Timeout:PgSleep',
  })
})

test('the pool is named on a machine that other programs keep busy', () => {
  const evidence = {
    pool: busyPool,
    database: { 'Lock:tuple': 9 },
    machine: { cores: 4, busy: 1 },
    loop: { utilization: 0.95, delayMs: 60 },
  }
  expect(findBottleneck(step(evidence))?.resource).toBe('pool')
})

test('operations that wait while connections are idle do not name the pool', () => {
  expect(findBottleneck(step({ pool: { used: 2, open: 10, pending: 7, timeouts: 0 } }))).toBeUndefined()
})

test('operations that wait for a connection while the database uses all cores name the CPU of the database', () => {
  const evidence = { pool: busyPool, processes: cpu({ postgres: 3.8 }), database: { CPU: 10 } }
  expect(findBottleneck(step(evidence))).toEqual({
    resource: 'database CPU',
    reason: 'the database used 3.80 of 4 cores',
  })
})

test('operations that wait because the event loop is late name the CPU of the service', () => {
  const evidence = {
    pool: busyPool,
    processes: cpu({ service: 0.99 }),
    loop: { utilization: 0.99, delayMs: 80 },
    database: { 'Client:ClientRead': 7, CPU: 1 },
  }
  expect(findBottleneck(step(evidence))).toEqual({
    resource: 'service CPU',
    reason: 'service 1 used 0.99 cores, and its event loop had a delay of 80 ms',
  })
})

test('a busy event loop names the CPU of the service when only its metrics are known', () => {
  const { generator } = step({}).evidence
  const evidence = { generator, loop: { utilization: 0.97, delayMs: 80 } }
  expect(findBottleneck({ p99Ms: 50, evidence })?.resource).toBe('service CPU')
})

test('a busy event loop names the CPU of the service, with the cores that it got beside other programs', () => {
  const evidence = {
    processes: cpu({ service: 0.3 }),
    machine: { cores: 2, busy: 1 },
    loop: { utilization: 0.98, delayMs: 150 },
  }
  expect(findBottleneck(step(evidence))).toEqual({
    resource: 'service CPU',
    reason: 'the event loop was busy 98 % of the time with 0.30 cores, and had a delay of 150 ms',
  })
})

test('calls that the concurrency limit refuses name the bulkhead', () => {
  const upstream = { inFlight: 256, rejectedByConcurrency: 30 }
  expect(findBottleneck(step({ upstream }))?.resource).toBe('bulkhead')
})

test.each([
  ['nginx', 'proxy CPU'],
  ['redis', 'Redis CPU'],
  ['payments', 'upstream CPU'],
])('a core that %s uses alone names the %s', (name, resource) => {
  expect(findBottleneck(step({ processes: cpu({ [name]: 0.97 }) }))?.resource).toBe(resource)
})

test('a machine without a free core is named with the use of each process when no process has a core to itself', () => {
  const evidence = { processes: cpu({ service: 0.8 }), machine: { cores: 2, busy: 0.99 } }
  expect(findBottleneck(step(evidence))).toEqual({
    resource: 'machine CPU',
    reason:
      'the 2 cores were 99 % busy: service 1 0.80, nginx 0.10, postgres 0.10, generator 0.10, redis 0.05, payments 0.05, other programs 0.78',
  })
})

test('a machine that other programs keep busy is no bottleneck of the link', () => {
  expect(findBottleneck(step({ machine: { cores: 2, busy: 0.99 }, processes: cpu({}) }))).toBeUndefined()
})

test.each([
  [{ lagMs: 45, cpu: 0.3 }, 60],
  [{ lagMs: 2, cpu: 0.95 }, 60],
])('a generator that cannot keep its rate gives no verdict, whatever else is saturated', (generator, p99Ms) => {
  expect(findBottleneck(step({ generator, pool: busyPool }, p99Ms))).toMatchObject({
    resource: 'generator',
    reason: expect.stringContaining('no verdict'),
  })
})

test('a lag of the generator that is small beside the latency does not hide the bottleneck', () => {
  const generator = { lagMs: 45, cpu: 0.3 }
  expect(findBottleneck(step({ generator, pool: busyPool }, 900))?.resource).toBe('pool')
})

test('the first bottleneck is that of the lowest rate that has one', () => {
  const [calm, pool, service] = [step({}), step({ pool: busyPool }), step({ processes: cpu({ service: 1 }) })]
  expect(findFirstBottleneck([calm, pool, service])).toMatchObject({ resource: 'pool', step: pool })
  expect(findFirstBottleneck([calm])).toBeUndefined()
})

test('a step without a verdict is the first bottleneck only when no other step has one', () => {
  const [late, pool] = [step({ generator: { lagMs: 45 } }), step({ pool: busyPool })]
  expect(findFirstBottleneck([late, pool])?.resource).toBe('pool')
  expect(findFirstBottleneck([late, step({})])?.resource).toBe('generator')
})
