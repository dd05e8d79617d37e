import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { sql } from 'kysely'
import pg from 'pg'
import { createIdempotencyKeys } from '../internal/store/idempotency-keys.ts'
import { createPostgres, type Postgres } from '../internal/store/postgres.ts'
import { type Executor, prepare } from '../pkg/postgres/index.ts'
import { createIdempotency } from '../pkg/resource/index.ts'
import { runApp } from './support/app.ts'
import { type DatabaseProxy, startDatabaseProxy } from './support/database-proxy.ts'
import { type TestService, testPostgres, until } from './support/services.ts'

let database: TestService
let proxy: DatabaseProxy
let admin: pg.Client
let postgres: Postgres

beforeAll(async () => {
  database = await testPostgres()
  proxy = await startDatabaseProxy({ target: database })
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  admin = new pg.Client(database.url)
  await admin.connect()
  await admin.query('create table things (name text)')
})
afterAll(async () => {
  await admin.end()
  await proxy.stop()
  await database.stop()
})
beforeEach(async () => {
  await admin.query('truncate idempotency_keys, things')
  postgres = createPostgres({
    url: proxy.url,
    applicationName: 'keys-test',
    poolMax: 3,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    idleTimeoutMs: 1_000,
    onError: () => {},
  })
})
afterEach(() => postgres.stop())

function open({ lockTimeoutMs = 5_000, maxBytes = 1_000_000 } = {}) {
  const { db } = postgres
  const insert = prepare(({ name }: { readonly name: string }) => ({
    compile: () => sql`insert into things values (${name})`.compile(db),
  }))
  const bind = createIdempotency<Executor>({ keys: createIdempotencyKeys({ db, lockTimeoutMs }), db, maxBytes })
  return bind((executor) => ({ insert: (name: string) => insert.execute(executor, { name }) }))
}
type Things = { insert(name: string): Promise<unknown> }

const request = { scope: 'POST /things', key: 'k', body: { a: 1 } }
const response = { status: 201, headers: { etag: '"1"' }, body: { snake_case: 1.5, text: '\0 \ud83d "\\', none: null } }
const unwanted = () => Promise.reject(new Error('has run'))
const failure = (code: string) => expect.objectContaining({ code })
const insertThing = async (things: Things) => {
  await things.insert('thing')
  return response
}

async function count(table: string): Promise<number> {
  return (await admin.query(`select from ${table}`)).rowCount ?? 0
}

const isWaiting = async () =>
  (await admin.query(`select from pg_stat_activity where application_name = 'keys-test' and wait_event_type = 'Lock'`))
    .rowCount === 1

test('a write and its key commit together, and a retry gets the response unchanged', async () => {
  const things = open()
  expect(await things.once(request, insertThing)).toEqual(response)
  expect([await count('things'), await count('idempotency_keys')]).toEqual([1, 1])
  expect(await things.once(request, unwanted)).toEqual(response)
  await expect(things.once({ ...request, body: {} }, unwanted)).rejects.toEqual(failure('idempotency_key_reused'))
})

test('a request that fails after its write leaves neither write nor key', async () => {
  const things = open({ maxBytes: 100 })
  const fail = async (service: Things) => {
    await insertThing(service)
    throw new Error('refused')
  }
  await expect(things.once(request, fail)).rejects.toThrow('refused')
  const tooLong = async (service: Things) => ({ ...(await insertThing(service)), headers: { x: 'x'.repeat(100) } })
  await expect(things.once(request, tooLong)).rejects.toThrow('exceeds the 100 bytes')
  expect([await count('things'), await count('idempotency_keys')]).toEqual([0, 0])
})

test('an error of another system keeps its code, although the database could have caused it', async () => {
  const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  await expect(open().once(request, () => Promise.reject(error))).rejects.toBe(error)
})

describe('while the first request with a key is in progress', () => {
  /** Starts a request that has written and does not end, and a second request that waits for it. */
  async function startTwo(run: (things: Things) => Promise<typeof response>, lockTimeoutMs?: number) {
    const things = open(lockTimeoutMs === undefined ? {} : { lockTimeoutMs })
    const written = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    const first = things.once(request, async (service) => {
      await service.insert('thing')
      written.resolve()
      await end.promise
      return response
    })
    await written.promise
    const second = things.once(request, run)
    // The test checks the outcome later.
    second.catch(() => {})
    return { first, second, end }
  }

  test('a second request waits, and gets the response of the first request', async () => {
    const { first, second, end } = await startTwo(unwanted)
    await until(isWaiting)
    end.resolve()
    expect(await first).toEqual(response)
    expect(await second).toEqual(response)
    expect(await count('things')).toBe(1)
  })

  test('a second request runs when the first request fails', async () => {
    const { first, second, end } = await startTwo(insertThing)
    await until(isWaiting)
    end.reject(new Error('refused'))
    await expect(first).rejects.toThrow('refused')
    expect(await second).toEqual(response)
    expect(await count('things')).toBe(1)
  })

  test('a second request is a conflict after the longest wait', async () => {
    const { first, second, end } = await startTwo(unwanted, 50)
    await expect(second).rejects.toEqual(failure('idempotency_conflict'))
    end.resolve()
    expect(await first).toEqual(response)
    const { rows } = await sql`show lock_timeout`.execute(postgres.db)
    expect(rows).toEqual([{ lockTimeout: '0' }])
  })
})

describe('when the connection breaks during a commit', () => {
  test.each([
    ['after the commit', 'after-write', unwanted],
    ['before the commit', 'before-commit', insertThing],
  ] as const)('%s, the outcome is unknown, and a retry makes it known', async (_name, moment, run) => {
    const things = open()
    const cut = proxy.cutNext(moment)
    await expect(things.once(request, insertThing)).rejects.toEqual(failure('database_unavailable'))
    await cut
    expect(await things.once(request, run)).toEqual(response)
    expect([await count('things'), await count('idempotency_keys')]).toEqual([1, 1])
  })
})

describe('the deletion of expired keys', () => {
  const DAY = 86_400_000
  const remove = (limit: number) => createIdempotencyKeys(postgres).removeExpired({ keepMs: DAY, limit })
  const listIds = async () =>
    (await admin.query('select trim(id) as id from idempotency_keys order by id')).rows.map(({ id }) => id)
  const fill = (ages: string) =>
    admin.query(
      `insert into idempotency_keys select n, '', '', now() - n * interval '1 hour' from unnest(array[${ages}]) n`,
    )

  test('deletes the oldest keys first, a limited number at a time, and keeps younger keys', async () => {
    await fill('23, 25, 26, 27')
    expect(await remove(2)).toBe(2)
    expect(await listIds()).toEqual(['23', '25'])
    expect(await remove(2)).toBe(1)
    expect(await remove(2)).toBe(0)
    expect(await listIds()).toEqual(['23'])
  })

  test('does not wait for a key that another instance deletes', async () => {
    await fill('25, 26, 27')
    await admin.query(`begin; delete from idempotency_keys where id = '27'`)
    expect(await remove(2)).toBe(2)
    await admin.query('rollback')
    expect(await listIds()).toEqual(['27'])
  })

  test('finds the keys in an index', async () => {
    await admin.query('set enable_seqscan = off; set enable_sort = off')
    const { rows } = await admin.query(
      `explain select id from idempotency_keys where created_at < now() - 9 * interval '1 millisecond'
       order by created_at limit 500 for update skip locked`,
    )
    await admin.query('reset all')
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toContain('Index Scan using idempotency_keys_oldest_first')
    expect(plan).not.toContain('Sort')
  })
})
