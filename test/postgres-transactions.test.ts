import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
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

describe('a transaction', () => {
  test('has a connection to itself, and begins together with its first statement', async () => {
    db = open({ poolMax: 2 })
    await select(0)
    databases.proxy.hold()
    const done = db.transaction().execute((transaction) => select(1, transaction))
    await until(() => countExecutions(databases.proxy) === 2)
    expect(databases.proxy.held.toString('latin1')).toContain('begin')
    databases.proxy.pass()
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
    const { client, connection } = await connectOne(postgres)
    const insert = { text: 'insert into things values ($1)', values: ['1'] }
    await expect(connection.run(insert, ['begin', 'set local no_such_setting = 1'])).rejects.toMatchObject({
      code: '42704',
    })
    await connection.run({ text: 'rollback', values: [] })
    await connection.run(insert, ['begin'])
    await connection.run({ text: 'commit', values: [] })
    await client.end()
    expect((await postgres.admin.query('select id from things')).rows).toEqual([{ id: 1 }])
  })

  test('that is rolled back while its first statement is in progress undoes this statement, also raw SQL', async () => {
    await select(0)
    for (let id = 1; id <= 20; id++) {
      const work = db.transaction().execute(async (transaction) => {
        const insert = sql.raw(`insert into things values (${id})`).execute(transaction)
        insert.catch(() => {})
        await setImmediate()
        throw new Error('changed my mind')
      })
      await expect(work).rejects.toThrow('changed my mind')
    }
    await db.destroy()
    expect((await postgres.admin.query('select id from things')).rows).toEqual([])
  })

  test('may begin with a statement that was invalid before', async () => {
    const { client, connection } = await connectOne(postgres)
    const read = { text: 'select id from later where id = $1', values: ['1'], name: 'later' }
    await expect(connection.run(read)).rejects.toMatchObject({ code: '42P01' })
    await expect(connection.run(read, ['begin'])).rejects.toMatchObject({ code: '42P01' })
    await connection.run({ text: 'rollback', values: [] })
    await postgres.admin.query('create table later (id int)')
    expect((await connection.run(read)).rows).toEqual([])
    await client.end()
  })

  test('is rolled back when it fails, and its connection serves again', async () => {
    const insert = (transaction: Kysely<Things>, id: number) =>
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
    expect(databases.proxy.connections).toBe(1)
  })

  test('is measured with its COMMIT or ROLLBACK', async () => {
    const measured: unknown[] = []
    db = open({
      observer: {
        onPool() {},
        onWait() {},
        onQuery: (operation, _durationMs, error) => measured.push([operation, error !== undefined]),
      },
    })
    await db.transaction().execute((transaction) => transaction.selectFrom('things').select('id').execute())
    await outcome(db.transaction().execute((transaction) => sql`select 1 / ${0}::int`.execute(transaction)))
    await db.transaction().execute(async () => {})
    expect(measured).toEqual([
      ['SELECT', false],
      ['COMMIT', false],
      ['_OTHER', true],
      ['ROLLBACK', false],
    ])
    measured.length = 0
    for await (const _row of db.selectFrom('things').select('id').stream());
    expect(measured).toEqual([['COMMIT', false]])
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
    db = open({ poolMax: 2, statementTimeoutMs: 1_000 })
    const work = db.transaction().execute(async (transaction) => {
      const { pid } = await select(1, transaction)
      await until(
        async () => (await postgres.admin.query('select from pg_stat_activity where pid = $1', [pid])).rowCount === 0,
      )
      await select(2, transaction)
    })
    const error = await work.catch((error) => error)
    expect(findStoreProblem(error)).toBe('database_unavailable')
    expect((await select(3)).value).toBe(3)
  })
})

test('the statements of db.connection() share one session', async () => {
  db = open({ poolMax: 2 })
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
  beforeEach(() =>
    postgres.admin.query(`insert into things select n, 'name ' || n, null from generate_series(1, 250) n`),
  )

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
    expect(databases.proxy.connections).toBe(1)
  })

  test('works in a transaction, which continues afterwards', async () => {
    await db.transaction().execute(async (transaction) => {
      let count = 0
      for await (const _row of transaction.selectFrom('things').select('id').stream(100)) count++
      expect(count).toBe(250)
      await transaction.deleteFrom('things').where('id', '>', 100).execute()
      for await (const _row of transaction.selectFrom('things').select('id').stream(7)) break
    })
    expect((await postgres.admin.query('select from things')).rowCount).toBe(100)
  })

  test('fails with the error of its query', async () => {
    const read = async () => {
      for await (const _row of db.selectFrom('things').select(sql`1 / (id - 5)`.as('x')).orderBy('id').stream(2));
    }
    await expect(read()).rejects.toMatchObject({ code: '22012' })
    expect((await select(1)).value).toBe(1)
  })
})
