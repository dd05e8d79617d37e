import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import type { Kysely } from 'kysely'
import { createJobLeases } from '../../internal/store/job-leases.ts'
import { createJob, type JobEvent, type JobOptions } from '../../pkg/jobs/index.ts'
import { runApp } from '../support/app.ts'
import { useDatabases, usePostgres } from '../support/postgres.ts'
import { testPostgres, until } from '../support/services.ts'

const postgres = usePostgres()
const databases = useDatabases<Record<never, never>>(postgres)

beforeAll(async () => {
  expect(await runApp(['migrate'], { env: { DATABASE_URL: postgres.server.url } })).toMatchObject({ code: 0 })
})
beforeEach(async () => {
  await postgres.admin.query('delete from jobs')
})

const started: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map((stop) => stop()))
})

function startInstance(db: Kysely<Record<never, never>>, options: Partial<JobOptions> = {}) {
  const events: JobEvent[] = []
  const part = createJob({
    name: 'report',
    intervalMs: 50,
    timeoutMs: 10_000,
    leaseMs: 1_500,
    work: async () => {},
    leases: createJobLeases(db),
    onEvent: (event) => events.push(event),
    ...options,
  })
  part.start()
  started.push(() => part.stop(AbortSignal.abort()))
  const count = (type: JobEvent['type']) => events.filter((event) => event.type === type).length
  return { part, events, count }
}

test('runs of three instances never overlap, and their numbers increase', async () => {
  let running = 0
  let most = 0
  const numbers: number[] = []
  const work: JobOptions['work'] = async ({ run }) => {
    numbers.push(run)
    most = Math.max(most, ++running)
    await postgres.admin.query('select 1')
    running--
  }
  for (let count = 0; count < 3; count++) startInstance(databases.open(), { work, intervalMs: 1 })
  await until(async () => numbers.length >= 100)
  expect(most).toBe(1)
  expect(numbers.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
})

test('a job that another instance has just run is not available for the rest of the interval', async () => {
  const one = startInstance(databases.open(), { intervalMs: 3_600_000, jitterMs: 0 })
  await until(async () => one.count('run ended') === 1)
  const leases = createJobLeases(databases.open())
  const claim = await leases.claim('report', 1_000)
  expect(claim).toEqual({ availableInMs: expect.any(Number) })
  expect('availableInMs' in claim && claim.availableInMs).toBeGreaterThan(3_000_000)
  expect(await leases.claim('another', 1_000)).toEqual({ run: 1 })
})

test('an earlier run can neither renew nor release the lease of a later run', async () => {
  const leases = createJobLeases(databases.open())
  expect(await leases.claim('report', 0)).toEqual({ run: 1 })
  expect(await leases.claim('report', 60_000)).toEqual({ run: 2 })
  expect(await leases.renew('report', 1, 60_000)).toBe(false)
  await leases.release('report', 1, 0)
  expect(await leases.claim('report', 60_000)).toEqual({ availableInMs: expect.any(Number) })
  await leases.release('report', 2, 0)
  expect(await leases.claim('report', 60_000)).toEqual({ run: 3 })
})

test('another instance runs the job of a killed instance', async () => {
  const program = 'test/jobs/programs/hold-job.ts'
  const env = { ...process.env, DATABASE_URL: postgres.server.url }
  const holder = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface({ input: holder.stdout }), 'line')
  const other = startInstance(databases.open())
  const leases = createJobLeases(databases.open())
  // The holder renews its lease, so the job stays unavailable for longer than one lease.
  const { rows } = await postgres.admin.query('select available_at from jobs')
  await until(async () => (await postgres.admin.query('select now() > $1 as ok', [rows[0].available_at])).rows[0].ok)
  expect(await leases.claim('report', 1_500)).toEqual({ availableInMs: expect.any(Number) })
  expect(other.events).toEqual([])
  holder.kill('SIGKILL')
  await until(async () => other.count('run ended') > 0)
  expect(other.events[1]).toMatchObject({ result: 'ok' })
})

test('an outage of the database is reported once, and the job runs again afterwards', async () => {
  const server = await testPostgres()
  try {
    const env = { DATABASE_URL: server.url }
    expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
    const instance = startInstance(databases.open({ url: server.url, connectTimeoutMs: 300 }))
    await until(async () => instance.count('run ended') > 0)
    await server.kill()
    await until(async () => instance.count('leases unavailable') > 0)
    const before = instance.count('run ended')
    await server.restart()
    await until(async () => instance.count('leases available') > 0 && instance.count('run ended') > before)
    expect(instance.count('leases unavailable')).toBe(1)
    await instance.part.stop(AbortSignal.abort())
  } finally {
    await server.stop()
  }
})
