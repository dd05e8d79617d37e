import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import { createDatabase, type DatabaseObserver, type DatabaseOptions } from '../pkg/postgres/index.ts'
import { findMaxHeld, type Priority } from '../pkg/postgres/waiters.ts'
import { usePostgres } from './support/postgres.ts'
import { until } from './support/services.ts'

/** A query of this lock takes as long as the admin holds the lock. */
const LOCK = 7

const postgres = usePostgres()
const opened: Kysely<unknown>[] = []

afterEach(async () => {
  await postgres.admin.query('select pg_advisory_unlock_all()')
  await Promise.all(opened.splice(0).map((each) => each.destroy()))
})

/** Opens a pool of ten connections. The priority of an operation comes from its context, as in a request. */
function open(options: Partial<DatabaseOptions> = {}) {
  const context = new AsyncLocalStorage<Priority | undefined>()
  const waits: boolean[] = []
  let readPool = () => ({ used: 0, idle: 0, waiting: 0 })
  const observer: DatabaseObserver = {
    onPool: (read) => {
      readPool = read
    },
    onWait: (_durationMs, gotOne) => waits.push(gotOne),
    onQuery: () => {},
  }
  const db = createDatabase<unknown>({
    url: postgres.server.url,
    applicationName: 'gate',
    poolMax: 10,
    connectTimeoutMs: 20_000,
    statementTimeoutMs: 20_000,
    idleTimeoutMs: 60_000,
    onError: () => {},
    priority: () => context.getStore(),
    observer,
    ...options,
  })
  opened.push(db)
  return {
    waits,
    pool: () => readPool(),
    /** Runs a query that waits for the lock. */
    block: (priority?: Priority) =>
      context.run(priority, () => sql`select pg_advisory_xact_lock_shared(${LOCK})`.execute(db)),
    read: (priority?: Priority) => context.run(priority, () => sql`select 1`.execute(db)),
  }
}

const lock = () => postgres.admin.query('select pg_advisory_lock($1)', [LOCK])
const unlock = () => postgres.admin.query('select pg_advisory_unlock($1)', [LOCK])

/** The code of the rejection. */
const code = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  )

const times = <T>(count: number, work: () => T) => Array.from({ length: count }, work)

test.each<[Priority, number, boolean, number]>([
  ['core', 10, true, 10],
  ['normal', 10, true, 6],
  ['normal', 10, false, 10],
  ['background', 10, true, 2],
  ['background', 10, false, 2],
  ['background', 3, false, 1],
  ['normal', 1, true, 1],
])('%s operations may hold of %i connections, with core operations %s: %i', (priority, max, hasCore, held) => {
  expect(findMaxHeld(priority, max, hasCore)).toBe(held)
})

describe('a pool that slow queries would fill', () => {
  test('keeps connections for other operations: background queries hold two of ten', async () => {
    await lock()
    const { block, read, pool } = open()
    const slow = times(200, () => block('background'))
    await until(() => pool().used === 2)
    await Promise.all(times(50, () => read()))
    expect(pool()).toMatchObject({ used: 2 })
    await unlock()
    await Promise.all(slow)
  })

  test('keeps connections for core operations: normal queries hold six of ten', async () => {
    await lock()
    const { block, read, pool } = open()
    await read('core')
    const slow = times(200, () => block())
    await until(() => pool().used === 6)
    await Promise.all(times(50, () => read('core')))
    expect(pool()).toMatchObject({ used: 6 })
    await unlock()
    await Promise.all(slow)
  })

  test('is free for normal operations when there is no core operation', async () => {
    await lock()
    const { block, pool } = open()
    const slow = times(200, () => block())
    await until(() => pool().used === 10)
    await unlock()
    await Promise.all(slow)
  })

  test('never puts a statement behind one of another priority', async () => {
    await lock()
    const { block, read } = open()
    // Both are sent at once, before the pool can know that the first one is slow.
    const slow = block('background')
    await Promise.all([read('core'), read()])
    await unlock()
    await slow
  })

  test('serves a waiting core operation before the normal ones that waited longer', async () => {
    await lock()
    const { block, read, pool } = open({ poolMax: 1 })
    const slow = block('core')
    await until(() => pool().used === 1)
    const order: string[] = []
    const normal = read().then(() => order.push('normal'))
    const core = read('core').then(() => order.push('core'))
    await unlock()
    await Promise.all([slow, normal, core])
    expect(order).toEqual(['core', 'normal'])
  })
})

describe('an operation that waits for a connection', () => {
  test('fails as overloaded when all its connections stay busy, and is counted', async () => {
    await lock()
    // The pool opens its connections after this time, and only then are they all busy.
    const { block, read, pool, waits } = open({ queueTimeoutMs: 1 })
    const codes = times(200, () => code(block('background')))
    await until(() => pool().used === 2 && pool().waiting === 0)
    const failed = waits.filter((gotOne) => !gotOne).length
    expect(failed).toBeGreaterThan(0)
    expect(await code(read())).toBe('ok')
    await unlock()
    const all = await Promise.all(codes)
    expect(new Set(all)).toEqual(new Set(['ok', 'overloaded']))
    expect(all.filter((each) => each === 'overloaded')).toHaveLength(failed)
  })

  test('gets the whole time of connecting while the pool still opens connections', async () => {
    const { read } = open({ url: postgres.server.url.replace(/@[^/]+/, '@127.0.0.1:1'), queueTimeoutMs: 1 })
    expect(await code(read())).toBe('ECONNREFUSED')
  })
})
