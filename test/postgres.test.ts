import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { Connection, NotExecuted } from '../pkg/postgres/connection.ts'
import {
  createDatabase,
  type DatabaseOptions,
  findStoreProblem,
  GuardedClient,
  prepare,
} from '../pkg/postgres/index.ts'
import { type TestService, testPostgres, until } from './support/services.ts'
import { startTcpProxy, type TcpProxy } from './support/tcp-proxy.ts'

interface Tables {
  readonly things: { readonly id: number; readonly nickName: string | null; readonly data: unknown }
}

let server: TestService
let proxy: TcpProxy
let admin: pg.Client
let db: Kysely<Tables>
const opened: Kysely<Tables>[] = []

beforeAll(async () => {
  server = await testPostgres()
  admin = new pg.Client(server.url)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await server.stop()
})
beforeEach(async () => {
  await admin.query('drop table if exists things; create table things (id int primary key, nick_name text, data jsonb)')
  proxy = await startTcpProxy(server.url)
  db = open({ poolMax: 1 })
})
afterEach(async () => {
  proxy.pass()
  await Promise.all(opened.splice(0).map((each) => each.destroy()))
  await proxy.stop()
})

function open(options: Partial<DatabaseOptions> = {}): Kysely<Tables> {
  const database = createDatabase<Tables>({
    url: proxy.url,
    applicationName: 'postgres-test',
    poolMax: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    idleTimeoutMs: 60_000,
    onError: () => {},
    ...options,
  })
  opened.push(database)
  return database
}

const select = (value: number, database = db) =>
  sql<{ value: number; pid: number }>`select ${value}::int as value, pg_backend_pid() as pid`
    .execute(database)
    .then(({ rows }) => rows[0]!)

/** The messages in the bytes of a client that begin the execution of a statement. */
const executions = ({ held }: TcpProxy) => held.toString('latin1').split('E\0\0\0\x09').length - 1

/** A connection without a pool. */
async function connectOne() {
  const client = new GuardedClient({ connectionString: server.url, pipeline: true })
  await client.connect()
  return { client, connection: new Connection({ client, isDirect: true, prepare: true, onSettled: () => {} }) }
}

/** The value or the error of a settled promise. */
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: Error) => error.message,
  )

describe('single statements', () => {
  test('are sent before the responses to earlier statements, on the same connection', async () => {
    await select(0)
    proxy.hold()
    const all = Promise.all([1, 2, 3].map((value) => select(value)))
    await until(() => executions(proxy) === 3)
    proxy.pass()
    expect((await all).map(({ value }) => value)).toEqual([1, 2, 3])
    expect(proxy.connections).toBe(1)
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
    expect(proxy.connections).toBe(1)
  })

  test('use another connection while a slow statement is in progress', async () => {
    db = open()
    await select(0)
    await admin.query('select pg_advisory_lock(1)')
    const slow = sql`select pg_advisory_lock(${1})`.execute(db)
    const isWaiting = async () => (await admin.query(`select from pg_locks where not granted`)).rowCount === 1
    await until(isWaiting)
    // Timers of one duration fire in order, so the pool has noticed the slow statement.
    for (let tick = 0; tick < 3; tick++) await setTimeout(5)
    const values = Array.from({ length: 50 }, (_, value) => value)
    const found = await Promise.all(values.map((value) => select(value)))
    expect(found.map(({ value }) => value)).toEqual(values)
    expect(await isWaiting()).toBe(true)
    await admin.query('select pg_advisory_unlock(1)')
    await slow
  })

  test('that leave a transaction open close their connection, and no later statement joins the transaction', async () => {
    const { pid } = await select(0)
    proxy.hold()
    const all = Promise.all([outcome(sql.raw('begin').execute(db)), outcome(select(1))])
    // Both responses wait, so they arrive together.
    const isDone = `select from pg_stat_activity where pid = $1 and state = 'idle in transaction' and query like 'select%'`
    await until(async () => (await admin.query(isDone, [pid])).rowCount === 1)
    proxy.pass()
    const results = await all
    expect(results).toEqual(['ok', 'Connection terminated: a statement left a transaction open'])
    await until(async () => (await outcome(select(2))) === 'ok')
    expect((await select(3)).pid).not.toBe(pid)
  })
})

describe('names of statements', () => {
  const countNames = async () =>
    Number((await sql<{ count: string }>`select count(*) from pg_prepared_statements`.execute(db)).rows[0]?.count)

  test('are the same for the same text, and at most 150 on a connection', async () => {
    for (const value of [1, 2, 3]) await select(value)
    expect(await countNames()).toBe(1)
    for (let count = 0; count < 200; count++) await sql`select ${sql.raw(String(count))}, ${1}::int`.execute(db)
    expect(await countNames()).toBe(150)
  })

  test('are absent where prepare is false', async () => {
    db = open({ prepare: false })
    await select(1)
    expect(await countNames()).toBe(0)
  })

  test('survive a change of a column, and the loss of a statement', async () => {
    await admin.query(`insert into things values (1, 'x', null)`)
    const find = prepare(({ id }: { id: number }) => db.selectFrom('things').selectAll().where('id', '=', id))
    expect(await find.takeFirst(db, { id: 1 })).toEqual({ id: 1, nickName: 'x', data: null })
    await admin.query('alter table things add column more int')
    expect(await find.takeFirst(db, { id: 1 })).toEqual({ id: 1, nickName: 'x', data: null, more: null })
    expect(await find.takeFirst(db, { id: 1 })).toMatchObject({ id: 1 })
    await admin.query('alter table things drop column more')
    const error = await db
      .transaction()
      .execute((transaction) => find.takeFirst(transaction, { id: 1 }))
      .catch((error) => error)
    expect(findStoreProblem(error)).toBe('database_unavailable')
    expect(await find.takeFirst(db, { id: 1 })).toMatchObject({ id: 1 })
    await sql.raw('deallocate all').execute(db)
    expect(await find.takeFirst(db, { id: 1 })).toMatchObject({ id: 1 })
  })
})

describe('prepared queries', () => {
  test('have the names and values of ordinary queries, and keep the names inside JSON', async () => {
    const data = { some_key: [{ other_key: 1 }], list: [1, 'two_words'] }
    await admin.query('insert into things values (1, null, $1)', [data])
    const all = prepare(() => db.selectFrom('things').selectAll())
    expect(await all.execute(db, {})).toEqual(await db.selectFrom('things').selectAll().execute())
    expect(await all.execute(db, {})).toEqual([{ id: 1, nickName: null, data }])
  })

  test('are compiled once for the same names of values and the same shape', async () => {
    let compiled = 0
    const list = prepare((given: { id?: number }, order: 'asc' | 'desc') => {
      compiled++
      const query = db.selectFrom('things').select('id').orderBy('id', order)
      return given.id === undefined ? query : query.where('id', '>', given.id)
    })
    await admin.query('insert into things select generate_series(1, 3)')
    const ids = async (...args: Parameters<typeof list.execute>) => (await list.execute(...args)).map(({ id }) => id)
    for (let round = 0; round < 2; round++) {
      expect(await ids(db, {}, 'asc')).toEqual([1, 2, 3])
      expect(await ids(db, { id: 1 }, 'asc')).toEqual([2, 3])
      expect(await ids(db, { id: 2 }, 'desc')).toEqual([3])
    }
    expect(compiled).toBe(3)
  })
})

describe('a transaction', () => {
  test('has a connection to itself, and begins together with its first statement', async () => {
    db = open()
    await select(0)
    proxy.hold()
    const done = db.transaction().execute((transaction) => select(1, transaction))
    await until(() => executions(proxy) === 2)
    expect(proxy.held.toString('latin1')).toContain('begin')
    proxy.pass()
    await done

    const blocked = Promise.withResolvers<void>()
    const inside = Promise.withResolvers<number>()
    const second = db.transaction().execute(async (transaction) => {
      inside.resolve((await select(1, transaction)).pid)
      await blocked.promise
    })
    const pid = await inside.promise
    for (const value of [1, 2, 3]) expect((await select(value)).pid).not.toBe(pid)
    blocked.resolve()
    await second
  })

  test('does not execute its first statement when it could not begin', async () => {
    const { client, connection } = await connectOne()
    const insert = { text: 'insert into things values ($1)', values: ['1'] }
    await expect(connection.run(insert, ['begin', 'set local no_such_setting = 1'])).rejects.toMatchObject({
      code: '42704',
    })
    await connection.run({ text: 'rollback', values: [] })
    await connection.run(insert, ['begin'])
    await connection.run({ text: 'commit', values: [] })
    await client.end()
    expect((await admin.query('select id from things')).rows).toEqual([{ id: 1 }])
  })

  test('is rolled back when it fails, and its connection serves again', async () => {
    const insert = (transaction: Kysely<Tables>, id: number) =>
      transaction.insertInto('things').values({ id, nickName: null, data: null }).execute()
    await expect(
      db.transaction().execute(async (transaction) => {
        await insert(transaction, 1)
        await insert(transaction, 1)
      }),
    ).rejects.toMatchObject({ code: '23505' })
    await expect(
      db.transaction().execute(async (transaction) => {
        await insert(transaction, 2)
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    await db.transaction().execute(async () => {})
    await db.transaction().execute((transaction) => insert(transaction, 3))
    expect(await db.selectFrom('things').select('id').execute()).toEqual([{ id: 3 }])
    expect(proxy.connections).toBe(1)
  })

  test('fails to commit after an error that the caller ignored', async () => {
    const work = db.transaction().execute(async (transaction) => {
      await outcome(sql`select 1 / ${0}::int`.execute(transaction))
    })
    await expect(work).rejects.toThrow('rolled back instead of committed')
  })

  test('has the isolation level and the savepoints of Kysely', async () => {
    const level = await db
      .transaction()
      .setIsolationLevel('serializable')
      .setAccessMode('read only')
      .execute((transaction) => sql`show transaction_isolation`.execute(transaction))
    expect(level.rows).toEqual([{ transactionIsolation: 'serializable' }])
    const controlled = await db.startTransaction().execute()
    const saved = await controlled.savepoint('here').execute()
    await outcome(sql`select 1 / ${0}::int`.execute(saved))
    await saved.rollbackToSavepoint('here').execute()
    await select(1, controlled)
    await controlled.commit().execute()
  })

  test('that waits too long for its next statement ends', async () => {
    db = open({ statementTimeoutMs: 1_000 })
    const work = db.transaction().execute(async (transaction) => {
      const { pid } = await select(1, transaction)
      await until(async () => (await admin.query('select from pg_stat_activity where pid = $1', [pid])).rowCount === 0)
      await select(2, transaction)
    })
    const error = await work.catch((error) => error)
    expect(findStoreProblem(error)).toBe('database_unavailable')
    expect((await select(3)).value).toBe(3)
  })
})

test('the statements of db.connection() share one session', async () => {
  db = open()
  await db.connection().execute(async (connection) => {
    const { pid } = await select(0, connection)
    for (let round = 0; round < 5; round++) {
      const others = Promise.all([1, 2, 3].map((value) => select(value)))
      expect((await select(0, connection)).pid).toBe(pid)
      expect((await others).map((other) => other.pid)).not.toContain(pid)
    }
  })
})

describe('stream', () => {
  beforeEach(() => admin.query(`insert into things select n, 'name ' || n, null from generate_series(1, 250) n`))

  test('reads rows in chunks, and releases its connection even when it stops early', async () => {
    const ids: number[] = []
    for await (const { id, nickName } of db
      .selectFrom('things')
      .selectAll()
      .where('id', '>', 10)
      .orderBy('id')
      .stream(100)) {
      expect(nickName).toBe(`name ${id}`)
      ids.push(id)
    }
    expect(ids).toEqual(Array.from({ length: 240 }, (_, index) => index + 11))
    for await (const { id } of db.selectFrom('things').select('id').orderBy('id').stream(10)) if (id === 15) break
    expect((await select(1)).value).toBe(1)
    expect(proxy.connections).toBe(1)
  })

  test('works in a transaction, which continues afterwards', async () => {
    await db.transaction().execute(async (transaction) => {
      let count = 0
      for await (const _row of transaction.selectFrom('things').select('id').stream(100)) count++
      expect(count).toBe(250)
      await transaction.deleteFrom('things').where('id', '>', 100).execute()
      for await (const _row of transaction.selectFrom('things').select('id').stream(7)) break
    })
    expect((await admin.query('select from things')).rowCount).toBe(100)
  })

  test('fails with the error of its query', async () => {
    const read = async () => {
      for await (const _row of db.selectFrom('things').select(sql`1 / (id - 5)`.as('x')).orderBy('id').stream(2));
    }
    await expect(read()).rejects.toMatchObject({ code: '22012' })
    expect((await select(1)).value).toBe(1)
  })
})

describe('a statement that takes too long', () => {
  test('is ended by the server, and the statements behind it run', async () => {
    db = open({ poolMax: 1, statementTimeoutMs: 1_000 })
    await select(0)
    const [slow, ...others] = await Promise.allSettled([sql`select pg_sleep(${60})`.execute(db), select(1), select(2)])
    expect(slow).toMatchObject({ status: 'rejected', reason: { code: '57014' } })
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    expect(proxy.connections).toBe(1)
  })
})

test('a cancellation that reaches the statement behind its target lets that statement run again', async () => {
  const { client, connection } = await connectOne()
  const sleep = (seconds: number) => connection.run({ text: 'select pg_sleep($1)', values: [String(seconds)] })
  const target = sleep(61)
  const bystander = sleep(62)
  const isActive = `select from pg_stat_activity where pid = $1 and state = 'active' and query like 'select pg_sleep%'`
  await until(async () => (await admin.query(isActive, [client.processId])).rowCount === 1)
  connection.cancel()
  await expect(target).rejects.toMatchObject({ code: '57014', message: 'canceling statement due to statement timeout' })
  const results: unknown[] = []
  void bystander.catch((error) => results.push(error))
  await until(async () => {
    await admin.query('select pg_cancel_backend($1)', [client.processId])
    return results.length > 0
  })
  expect(results).toEqual([expect.any(NotExecuted)])
  await client.end()
})

describe('a connection', () => {
  test('without responses is closed with all its statements, and the next statement gets another connection', async () => {
    db = open({ poolMax: 1, statementTimeoutMs: 1_000 })
    await select(0)
    proxy.hold()
    const results = await Promise.all([select(1), select(2), select(3)].map((each) => each.catch((error) => error)))
    expect(results.map(String)).toEqual(Array(3).fill('Error: Query read timeout'))
    expect(results.map(findStoreProblem)).toEqual(Array(3).fill('database_unavailable'))
    expect((await select(4)).value).toBe(4)
    expect(proxy.connections).toBe(2)
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
    proxy.hold()
    const failed = Promise.all([select(1), select(2)].map((each) => each.catch((error) => error)))
    await until(() => executions(proxy) === 2)
    proxy.inject(bytes)
    expect((await failed).map(findStoreProblem)).toEqual(['database_unavailable', 'database_unavailable'])
    await until(async () => (await outcome(select(3))) === 'ok')
    expect((await select(4)).pid).not.toBe(pid)
  })

  test('that sends a row although no statement is in progress is closed', async () => {
    const errors: Error[] = []
    db = open({ poolMax: 1, onError: (error) => errors.push(error) })
    const { pid } = await select(0)
    proxy.inject(Buffer.from('440000000a000100000000', 'hex'))
    await until(() => errors.length > 0)
    await until(async () => (await outcome(select(1))) === 'ok')
    expect((await select(2)).pid).not.toBe(pid)
  })

  test('is awaited for a limited time', async () => {
    db = open({ poolMax: 1, connectTimeoutMs: 100 })
    await select(0)
    const error = await db.transaction().execute(() => select(1).catch((error) => error))
    expect(String(error)).toMatch(/timeout exceeded when trying to connect: 1 of 1 connections are open and busy/)
    expect(findStoreProblem(error)).toBe('database_unavailable')
    expect((await select(2)).value).toBe(2)
  })

  test('closes when it has been idle', async () => {
    db = open({ idleTimeoutMs: 100 })
    const { pid } = await select(0)
    await until(async () => (await admin.query('select from pg_stat_activity where pid = $1', [pid])).rowCount === 0)
    expect((await select(1)).pid).not.toBe(pid)
  })

  test('closes at the stop after the work in progress', async () => {
    const slow = sql`select pg_sleep(${0.1}), pg_backend_pid() as pid`.execute(db)
    await until(() => proxy.connections === 1)
    await Promise.all([slow, db.destroy()])
    await expect(select(1)).rejects.toThrow('destroyed')
  })
})
