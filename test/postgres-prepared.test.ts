import { beforeEach, describe, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import { findStoreProblem, prepare } from '../pkg/postgres/index.ts'
import { selectValue, type Things, useThings } from './support/postgres.ts'

const { postgres, databases } = useThings()
const { open } = databases
let db: Kysely<Things>
beforeEach(() => {
  db = open()
})

const select = (value: number) => selectValue(db, value)

describe('names of statements', () => {
  const countNames = async () =>
    Number((await sql<{ count: string }>`select count(*) from pg_prepared_statements`.execute(db)).rows[0]?.count)

  test('are the same for the same text, and at most 150 on a connection', async () => {
    for (const value of [1, 2, 3]) await select(value)
    expect(await countNames()).toBe(1)
    for (let count = 0; count < 200; count++) await sql`select ${sql.raw(String(count))}, ${1}::int`.execute(db)
    expect(await countNames()).toBe(150)
  })

  test('are absent when prepare is false', async () => {
    db = open({ poolMax: 2, prepare: false })
    await select(1)
    expect(await countNames()).toBe(0)
  })

  test('survive a change of a column, and the loss of a statement', async () => {
    await postgres.admin.query(`insert into things values (1, 'x', null)`)
    const find = prepare(({ id }: { id: number }) => db.selectFrom('things').selectAll().where('id', '=', id))
    expect(await find.takeFirst(db, { id: 1 })).toEqual({ id: 1, nickName: 'x', data: null })
    await postgres.admin.query('alter table things add column more int')
    expect(await find.takeFirst(db, { id: 1 })).toEqual({ id: 1, nickName: 'x', data: null, more: null })
    expect(await find.takeFirst(db, { id: 1 })).toMatchObject({ id: 1 })
    await postgres.admin.query('alter table things drop column more')
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
  test('return the names and values of ordinary queries, and keep the names inside JSON', async () => {
    const data = { some_key: [{ other_key: 1 }], list: [1, 'two_words'] }
    await postgres.admin.query('insert into things values (1, null, $1)', [data])
    const all = prepare(() => db.selectFrom('things').selectAll())
    expect(await all.execute(db, {})).toEqual(await db.selectFrom('things').selectAll().execute())
    expect(await all.execute(db, {})).toEqual([{ id: 1, nickName: null, data }])
  })

  test('return names in camel case after an ordinary query with the same text', async () => {
    await postgres.admin.query(`insert into things values (1, 'x', null)`)
    const query = db.selectFrom('things').select('nickName')
    const all = prepare(() => query)
    for (const run of [() => query.execute(), () => all.execute(db, {})]) {
      for (let round = 0; round < 2; round++) expect(await run()).toEqual([{ nickName: 'x' }])
    }
  })

  test('are described once on a connection, and later results are the same', async () => {
    const echo = prepare((given: { text: string | null; bytes: Buffer | null; list: number[] | null }) => ({
      compile: () =>
        sql<{ text: string | null; hexDigits: string | null; sum: number | null }>`select ${given.text}::text as text,
          encode(${given.bytes}::bytea, 'hex') as hex_digits,
          (select sum(each)::int from unnest(${given.list}::int[]) each) as sum`.compile(db),
    }))
    const change = prepare(({ id }: { id: number }) => db.updateTable('things').set({ data: 1 }).where('id', '>', id))
    await postgres.admin.query('insert into things select generate_series(1, 3)')
    await select(0)
    databases.proxy.hold()
    databases.proxy.pass()
    const describes = () => databases.proxy.held.toString('latin1').split('D\0\0\0\x06P\0').length - 1
    for (const text of ['', 'ü€😀', 'x'.repeat(100_000), null]) {
      const list = text === null ? null : [1, 2]
      expect(await echo.execute(db, { text, bytes: Buffer.from([0, 255]), list })).toEqual([
        { text, hexDigits: '00ff', sum: text === null ? null : 3 },
      ])
    }
    expect(describes()).toBe(1)
    for (let round = 0; round < 3; round++) expect(await change.execute(db, { id: 1 })).toEqual([])
    expect(describes()).toBe(2)
    expect(await db.selectFrom('things').select('id').where('data', 'is not', null).execute()).toHaveLength(2)
  })

  test('use the schema of each executor', async () => {
    await postgres.admin.query('create schema if not exists other; create table if not exists other.things (id int)')
    await postgres.admin.query('insert into things values (1)')
    const ids = db.selectFrom('things').select('id')
    const count = prepare((given: { min: number | undefined; max: number }) => {
      expect(Object.keys(given)).toEqual(['max'])
      return sql<{ count: number }>`select count(*)::int as count from (${ids}) each where id <= ${given.max}`
    })
    const values = { min: undefined, max: 1 }
    expect(await count.execute(db.withSchema('other'), values)).toEqual([{ count: 0 }])
    expect(await count.execute(db, values)).toEqual([{ count: 1 }])
    expect(await count.execute(db.withSchema('other'), values)).toEqual([{ count: 0 }])
  })

  test('fail after the end of their database', async () => {
    const all = prepare(() => db.selectFrom('things').selectAll())
    expect(await all.execute(db, {})).toEqual([])
    await db.destroy()
    await expect(all.execute(db, {})).rejects.toThrow('destroyed')
  })

  test('are compiled once for the same names of values and the same shape', async () => {
    let compiled = 0
    const list = prepare((given: { id?: number }, order: 'asc' | 'desc') => {
      compiled++
      const query = db.selectFrom('things').select('id').orderBy('id', order)
      return given.id === undefined ? query : query.where('id', '>', given.id)
    })
    await postgres.admin.query('insert into things select generate_series(1, 3)')
    const ids = async (...args: Parameters<typeof list.execute>) => (await list.execute(...args)).map(({ id }) => id)
    for (let round = 0; round < 2; round++) {
      expect(await ids(db, {}, 'asc')).toEqual([1, 2, 3])
      expect(await ids(db, { id: 1 }, 'asc')).toEqual([2, 3])
      expect(await ids(db, { id: 2 }, 'desc')).toEqual([3])
    }
    expect(compiled).toBe(3)
  })
})
