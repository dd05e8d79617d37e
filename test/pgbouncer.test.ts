import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import { createDatabase, type DatabaseOptions } from '../pkg/postgres/index.ts'
import { killApps, runApp, startApp } from './support/app.ts'
import { type Pooler, startPgbouncer } from './support/pgbouncer.ts'
import { usePostgres } from './support/postgres.ts'
import { until } from './support/services.ts'

/* PgBouncer in transaction mode with its default configuration: consecutive statements reach different sessions. */

const postgres = usePostgres()
let pooler: Pooler
const opened: Kysely<unknown>[] = []

beforeAll(async () => {
  pooler = await startPgbouncer(postgres.server.url)
})
afterEach(async () => {
  await killApps()
  await Promise.all(opened.splice(0).map((each) => each.destroy()))
})
afterAll(() => pooler.stop())

function open(options: Partial<DatabaseOptions> = {}): Kysely<unknown> {
  const database = createDatabase<unknown>({
    url: pooler.url,
    applicationName: 'pgbouncer-test',
    poolMax: 2,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 1_000,
    idleTimeoutMs: 60_000,
    onError: () => {},
    ...options,
  })
  opened.push(database)
  return database
}

const sleep = (database: Kysely<unknown>) => sql`select pg_sleep(${60})`.execute(database)
const select = async (value: number, database: Kysely<unknown>) =>
  (await sql<{ value: number }>`select ${value}::int as value`.execute(database)).rows[0]?.value
const countSleeping = async () =>
  (await postgres.admin.query(`select from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'`))
    .rowCount

test.each([undefined, false, true])(
  'statements run with prepare %s, also in a transaction after other statements',
  async (prepare) => {
    // Behind an old PgBouncer, a session refuses a named statement that it has not parsed. The pool then runs it
    // without a name.
    const database = open({ prepare, poolMax: 4, statementTimeoutMs: 10_000 })
    const all = Array.from({ length: 50 }, (_, value) => select(value, database))
    expect(await Promise.all(all)).toEqual(Array.from({ length: 50 }, (_, value) => value))
    if (prepare !== true) expect(await database.transaction().execute((inside) => select(1, inside))).toBe(1)
  },
)

test('a PgBouncer with max_prepared_statements keeps named statements', async () => {
  const named = await startPgbouncer(postgres.server.url, { max_prepared_statements: '200', default_pool_size: '1' })
  const database = open({ url: named.url, prepare: true, poolMax: 4, statementTimeoutMs: 10_000 })
  try {
    const values = Array.from({ length: 50 }, (_, value) => value)
    for (let round = 0; round < 3; round++) {
      expect(await Promise.all(values.map((value) => select(value, database)))).toEqual(values)
      expect(await database.transaction().execute((inside) => select(1, inside))).toBe(1)
    }
    const names = await sql<{ name: string; calls: number }>`
      select name, (generic_plans + custom_plans)::int as calls from pg_prepared_statements
      where statement like 'select $1::int%'`.execute(database)
    // PgBouncer has prepared one statement for all clients.
    expect(names.rows).toEqual([{ name: expect.stringMatching(/^PGBOUNCER_/), calls: expect.any(Number) }])
    expect(names.rows[0]?.calls).toBeGreaterThan(1)
    await postgres.admin.query('create table changing (id int); insert into changing values (1)')
    const read = () => sql`select * from changing where ${1}::int = 1`.execute(database).then(({ rows }) => rows)
    expect(await read()).toEqual([{ id: 1 }])
    await postgres.admin.query('alter table changing add column more int')
    for (let round = 0; round < 3; round++) expect(await read()).toEqual([{ id: 1, more: null }])
  } finally {
    await database.destroy()
    await named.stop()
  }
})

test('a statement that takes too long is cancelled on the server, and the statements behind it are not', async () => {
  const database = open({ poolMax: 1 })
  await select(0, database)
  const [slow, ...others] = await Promise.allSettled([sleep(database), select(1, database), select(2, database)])
  expect(slow).toMatchObject({
    status: 'rejected',
    reason: { code: '57014', message: 'canceling statement due to statement timeout' },
  })
  expect(others).toEqual([1, 2].map((value) => ({ status: 'fulfilled', value })))
  expect(await countSleeping()).toBe(0)
  expect(await select(3, database)).toBe(3)
})

test('a transaction has its timeouts on the server, and they do not reach other clients', async () => {
  const database = open()
  const settings = (executor: Kysely<unknown>) =>
    sql`select current_setting('statement_timeout') as statement, current_setting('idle_in_transaction_session_timeout') as idle`
      .execute(executor)
      .then(({ rows }) => rows[0])
  expect(await database.transaction().execute(settings)).toEqual({ statement: '1s', idle: '1s' })
  expect(await settings(database)).toEqual({ statement: '0', idle: '0' })
  await expect(database.transaction().execute(sleep)).rejects.toMatchObject({ code: '57014' })
  expect(await countSleeping()).toBe(0)
  const idle = database.transaction().execute(async (inside) => {
    await select(1, inside)
    const waits = `select from pg_stat_activity where state = 'idle in transaction'`
    await until(async () => (await postgres.admin.query(waits)).rowCount === 0)
    await select(2, inside)
  })
  await expect(idle).rejects.toThrow()
  expect(await select(3, database)).toBe(3)
})

test('rows are streamed', async () => {
  const database = open().withTables<{ readonly numbers: { readonly n: number } }>()
  await postgres.admin.query('create table numbers as select n from generate_series(1, 250) n')
  let sum = 0
  for await (const { n } of database.selectFrom('numbers').select('n').stream(100)) sum += n
  expect(sum).toBe((250 * 251) / 2)
})

test('app migrate uses MIGRATION_DATABASE_URL, and the service is ready', async () => {
  const nowhere = 'postgres://app:x@127.0.0.1:1/app'
  const env = { DATABASE_URL: pooler.url, MIGRATION_DATABASE_URL: nowhere }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') })
  expect(await runApp(['migrate'], { env: { ...env, MIGRATION_DATABASE_URL: postgres.server.url } })).toMatchObject({
    code: 0,
  })
  const app = await startApp({ env: { DATABASE_URL: pooler.url } })
  await app.line({ message: 'check ok', 'service.target.name': 'database' })
})
