import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import { NotExecuted } from '../pkg/postgres/connection.ts'
import { findStoreProblem } from '../pkg/postgres/index.ts'
import { connectOne, countExecutions, outcome, selectValue, type Things, useThings } from './support/postgres.ts'
import { until } from './support/services.ts'

const { postgres, databases } = useThings()
const { open } = databases
let db: Kysely<Things>
beforeEach(() => {
  db = open()
})

const select = (value: number, database = db) => selectValue(database, value)

describe('single statements', () => {
  test('are sent before the responses to earlier statements, on the same connection', async () => {
    await select(0)
    databases.proxy.hold()
    const all = Promise.all([1, 2, 3].map((value) => select(value)))
    await until(() => countExecutions(databases.proxy) === 3)
    databases.proxy.pass()
    expect((await all).map(({ value }) => value)).toEqual([1, 2, 3])
    expect(databases.proxy.connections).toBe(1)
  })

  test('fail without an effect on other statements', async () => {
    await select(0)
    const failing = [
      () => sql`select * from nowhere where 1 = ${1}`.execute(db),
      () => sql`select 1 / ${0}::int`.execute(db),
      () => sql`select ${'x'}::int`.execute(db),
      () => sql.raw('this is not SQL').execute(db),
      () =>
        db
          .insertInto('things')
          .values([1, 1].map((id) => ({ id, nickName: null, data: null })))
          .execute(),
    ]
    for (const fail of failing) {
      const [before, failed, after] = await Promise.allSettled([select(1), fail(), select(2)])
      expect([before.status, failed.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    }
    expect(databases.proxy.connections).toBe(1)
  })

  test('use another connection while a slow statement is in progress', async () => {
    db = open({ poolMax: 2 })
    await select(0)
    await postgres.admin.query('select pg_advisory_lock(1)')
    const slow = sql`select pg_advisory_lock(${1})`.execute(db)
    const isWaiting = async () => (await postgres.admin.query(`select from pg_locks where not granted`)).rowCount === 1
    await until(isWaiting)
    // Timers of one duration fire in order, so the pool has noticed the slow statement.
    for (let tick = 0; tick < 3; tick++) await setTimeout(5)
    const values = Array.from({ length: 50 }, (_, value) => value)
    const found = await Promise.all(values.map((value) => select(value)))
    expect(found.map(({ value }) => value)).toEqual(values)
    expect(await isWaiting()).toBe(true)
    await postgres.admin.query('select pg_advisory_unlock(1)')
    await slow
  })

  test('that leave a transaction open close their connection, and no later statement joins the transaction', async () => {
    const { pid } = await select(0)
    databases.proxy.hold()
    const all = Promise.all([outcome(sql.raw('begin').execute(db)), outcome(select(1))])
    // Both responses wait, so they arrive together.
    const isDone = `select from pg_stat_activity where pid = $1 and state = 'idle in transaction' and query like 'select%'`
    await until(async () => (await postgres.admin.query(isDone, [pid])).rowCount === 1)
    databases.proxy.pass()
    const results = await all
    expect(results).toEqual(['ok', 'Connection terminated: a statement left a transaction open'])
    await until(async () => (await outcome(select(2))) === 'ok')
    expect((await select(3)).pid).not.toBe(pid)
  })

  test('that fail inside a transaction of their own close their connection, and no later statement fails', async () => {
    const { pid } = await select(0)
    expect(await outcome(sql.raw('begin; select 1 / 0').execute(db))).toBe('division by zero')
    expect((await select(1)).pid).not.toBe(pid)
  })
})

test('a statement that is sent again has the context of its request, and so its priority and its trace', async () => {
  // The gate and the tracer read the context of the current request.
  const request = new AsyncLocalStorage<'core' | 'background'>()
  const seen: unknown[] = []
  db = open({
    priority() {
      seen.push(request.getStore())
      return request.getStore()
    },
  })
  // The events of a connection have the context of the request that opened it.
  await request.run('background', () => select(1))
  await request.run('background', () => sql.raw('deallocate all').execute(db))
  seen.length = 0
  expect(await request.run('core', () => select(2))).toMatchObject({ value: 2 })
  expect(seen).toEqual(['core', 'core'])
})

describe('a statement that takes too long', () => {
  test('is ended by the server, and the statements behind it run', async () => {
    db = open({ statementTimeoutMs: 1_000 })
    await select(0)
    const [slow, ...others] = await Promise.allSettled([sql`select pg_sleep(${60})`.execute(db), select(1), select(2)])
    expect(slow).toMatchObject({ status: 'rejected', reason: { code: '57014' } })
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    expect(databases.proxy.connections).toBe(1)
  })
})

test('a cancellation that reaches the statement behind its target lets that statement run again', async () => {
  const { client, connection } = await connectOne(postgres)
  const sleep = (seconds: number) => connection.run({ text: 'select pg_sleep($1)', values: [String(seconds)] })
  const target = sleep(61)
  const bystander = sleep(62)
  const isActive = `select from pg_stat_activity where pid = $1 and state = 'active' and query like 'select pg_sleep%'`
  await until(async () => (await postgres.admin.query(isActive, [client.processId])).rowCount === 1)
  connection.cancel()
  await expect(target).rejects.toMatchObject({ code: '57014', message: 'canceling statement due to statement timeout' })
  const results: unknown[] = []
  void bystander.catch((error) => results.push(error))
  await until(async () => {
    await postgres.admin.query('select pg_cancel_backend($1)', [client.processId])
    return results.length > 0
  })
  expect(results).toEqual([expect.any(NotExecuted)])
  await client.end()
})

describe('a connection', () => {
  test('without responses is closed with all its statements, and the next statement gets another connection', async () => {
    db = open({ statementTimeoutMs: 1_000 })
    await select(0)
    databases.proxy.hold()
    const results = await Promise.all([select(1), select(2), select(3)].map((each) => each.catch((error) => error)))
    expect(results.map(String)).toEqual(Array(3).fill('Error: Query read timeout'))
    expect(results.map(findStoreProblem)).toEqual(Array(3).fill('database_unavailable'))
    expect((await select(4)).value).toBe(4)
    expect(databases.proxy.connections).toBe(2)
  })

  test('without responses is closed during a transaction too, even when no other statement is in progress', async () => {
    db = open({ statementTimeoutMs: 1_000 })
    const work = db.transaction().execute(async (transaction) => {
      await select(1, transaction)
      // The timer of the pool stops when no statement is in flight. After these timers, it has stopped.
      for (let tick = 0; tick < 3; tick++) await setTimeout(5)
      databases.proxy.hold()
      await select(2, transaction)
    })
    await expect(work).rejects.toThrow('Query read timeout')
  })

  const errorWithoutEnd = (text: string) => {
    const message = Buffer.from(`E\0\0\0\0${text}`)
    message.writeUInt32BE(message.length - 1, 1)
    return message
  }

  test.each([
    ['an error message without its end', errorWithoutEnd('SERROR\0Mbroken\0')],
    ['an error message that is one unfinished field', errorWithoutEnd('Mbroken')],
    ['an empty error message', errorWithoutEnd('')],
    ['a notice without its end', Buffer.from([0x4e, 0, 0, 0, 6, 0x4d, 0x61])],
    ['a message of 1 GB', Buffer.from([0x43, 0x40, 0, 0, 0])],
    ['a message with a negative length', Buffer.from([0x44, 0, 0, 0, 3])],
    ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a row description that makes no sense', Buffer.from('54000000067fff', 'hex')],
  ])('that sends %s is closed, and the process goes on', async (_name, bytes) => {
    const { pid } = await select(0)
    databases.proxy.hold()
    const failed = Promise.all([select(1), select(2)].map((each) => each.catch((error) => error)))
    await until(() => countExecutions(databases.proxy) === 2)
    databases.proxy.inject(bytes)
    expect((await failed).map(findStoreProblem)).toEqual(['database_unavailable', 'database_unavailable'])
    await until(async () => (await outcome(select(3))) === 'ok')
    expect((await select(4)).pid).not.toBe(pid)
  })

  test('that sends a row although no statement is in progress is closed', async () => {
    const errors: Error[] = []
    db = open({ onError: (error) => errors.push(error) })
    const { pid } = await select(0)
    databases.proxy.inject(Buffer.from('440000000a000100000000', 'hex'))
    await until(() => errors.length > 0)
    await until(async () => (await outcome(select(1))) === 'ok')
    expect((await select(2)).pid).not.toBe(pid)
  })

  test('to a server that has become read-only is closed, and the next statement gets another connection', async () => {
    const { pid } = await select(0)
    await sql.raw('set default_transaction_read_only = on').execute(db)
    const insert = () => db.insertInto('things').values({ id: 1, nickName: null, data: null }).execute()
    expect(findStoreProblem(await insert().catch((error) => error))).toBe('database_unavailable')
    await insert()
    expect((await select(1)).pid).not.toBe(pid)
  })

  test('that requires TLS fails as unavailable on a server without TLS', async () => {
    db = open({ url: `${postgres.server.url}?sslmode=verify-full` })
    const error = await select(1).catch((error) => error)
    expect([String(error), findStoreProblem(error)]).toEqual([
      'Error: The server does not support SSL connections',
      'database_unavailable',
    ])
  })

  test('to the Unix socket of a stopped server fails as unavailable', async () => {
    db = open({ url: 'postgres://app@localhost/app?host=/nowhere' })
    const error = await select(1).catch((error) => error)
    expect([String(error), findStoreProblem(error)]).toEqual([
      'Error: connect ENOENT /nowhere/.s.PGSQL.5432',
      'database_unavailable',
    ])
  })

  test('is awaited for a limited time', async () => {
    db = open({ connectTimeoutMs: 100 })
    await select(0)
    const error = await db.transaction().execute(() => select(1).catch((error) => error))
    expect(String(error)).toMatch(/timeout exceeded when trying to connect: 1 of 1 connections are open and busy/)
    expect(findStoreProblem(error)).toBe('database_unavailable')
    expect((await select(2)).value).toBe(2)
  })

  test('closes when it has been idle', async () => {
    db = open({ poolMax: 2, idleTimeoutMs: 100 })
    const { pid } = await select(0)
    await until(
      async () => (await postgres.admin.query('select from pg_stat_activity where pid = $1', [pid])).rowCount === 0,
    )
    expect((await select(1)).pid).not.toBe(pid)
  })

  test('closes at the stop after the work in progress', async () => {
    const slow = sql`select pg_sleep(${0.1}), pg_backend_pid() as pid`.execute(db)
    await until(() => databases.proxy.connections === 1)
    await Promise.all([slow, db.destroy()])
    await expect(select(1)).rejects.toThrow('destroyed')
  })
})
