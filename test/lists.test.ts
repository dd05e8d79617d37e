import { afterAll, beforeAll, expect, test } from '@jest/globals'
import pg from 'pg'
import { createPostgres, type Postgres } from '../internal/store/postgres.ts'
import { prepareList, type StoredTable } from '../internal/store/table.ts'
import { withStoreProblems } from '../pkg/postgres/index.ts'
import { createPage, type JsonObject, type PageRequest } from '../pkg/resource/index.ts'
import { type TestService, testPostgres } from './support/services.ts'

/* Lists and foreign keys on a real PostgreSQL, with two tables that have columns of the same names. */

interface OrderFields {
  readonly customer: string
  readonly title: string
  readonly state: 'open' | 'closed'
  readonly isPaid: boolean
  readonly total: string
  readonly units: string
  readonly score: number
  readonly dueOn: string
  readonly sentAt: string
  readonly extra: JsonObject
}
type Tables = {
  readonly orders: StoredTable & OrderFields
  readonly customers: StoredTable & { readonly title: string }
}
type Field = 'createdAt' | 'title' | 'total' | 'units' | 'score' | 'dueOn' | 'sentAt'
type OrdersPage = PageRequest<Field, Pick<OrderFields, 'customer' | 'state' | 'isPaid'>>

const COLUMNS = [
  'id',
  'version',
  'createdAt',
  'updatedAt',
  'customer',
  'title',
  'state',
  'isPaid',
  'total',
  'units',
  'score',
  'dueOn',
  'sentAt',
  'extra',
] as const

const COMMON = `id uuid primary key default gen_random_uuid(), version integer not null default 1,
  created_at timestamptz(3) not null default now(), updated_at timestamptz(3) not null default now()`

let server: TestService
let postgres: Postgres
let admin: pg.Client
let list: (page: OrdersPage) => Promise<{ readonly id: string; readonly [name: string]: unknown }[]>
let compiled = 0

beforeAll(async () => {
  server = await testPostgres()
  admin = new pg.Client(server.url)
  await admin.connect()
  await admin.query(`
    create table customers (title varchar(200) not null, ${COMMON});
    create table orders (
      customer uuid not null references customers, title varchar(200) not null, state varchar(50) not null,
      is_paid boolean not null, total numeric(12, 2) not null, units bigint not null, score double precision not null,
      due_on date not null, sent_at timestamptz(3) not null,
      extra jsonb not null, ${COMMON}
    );
    create index on orders (total, id);
    create index on orders (state, created_at desc, id desc);
    insert into customers (title) select 'customer ' || n from generate_series(1, 3) n;
    insert into orders (customer, title, state, is_paid, total, units, score, due_on, sent_at, extra, created_at)
    select (select id from customers order by title offset n % 3 limit 1), chr(96 + n % 7 + 1), 
      (array['open', 'closed'])[n % 2 + 1], n % 3 = 0, n % 5 - 2.01, 9007199254740993 + n % 4, 0.1 * (n % 6) - 0.3,
      date '2026-01-30' + n % 8, timestamptz '2026-11-22T20:46:02.1254Z' + n % 9 * interval '1 ms',
      '{"some_key": [{"other_key": 0.1}]}',
      timestamptz '2026-11-22T20:46:02.1254Z' + n % 3 * interval '1 ms'
    from generate_series(1, 60) n;
    analyze;
  `)
  postgres = createPostgres({
    ...{ url: server.url, applicationName: 'lists', poolMax: 1, onError: () => {} },
    ...{ connectTimeoutMs: 60_000, statementTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
  })
  const db = postgres.db.withTables<Tables>()
  const query = db.selectFrom('orders').innerJoin('customers', 'customers.id', 'orders.customer')
  const prepared = prepareList(
    () => {
      compiled += 1
      return query.select('customers.title as customerTitle')
    },
    'orders',
    COLUMNS,
  )
  list = (page) => prepared(db, page)
})
afterAll(async () => {
  await admin.end()
  await postgres.stop()
  await server.stop()
})

/** Returns the ids of every page, with `limit` of them in each. */
async function walk({ limit, ...page }: Omit<OrdersPage, 'cursor'>): Promise<string[]> {
  const ids: string[] = []
  let cursor: OrdersPage['cursor']
  while (true) {
    const rows = await list({ ...page, limit: limit + 1, cursor })
    const { items, next } = createPage(rows as ({ id: string } & Record<Field, string | number>)[], { ...page, limit })
    ids.push(...items.map(({ id }) => id))
    if (next === null) return ids
    const [, value, id] = JSON.parse(Buffer.from(next, 'base64url').toString())
    cursor = { value, id }
  }
}

async function select(sql: string): Promise<string[]> {
  return (await admin.query(`select orders.id from orders ${sql}`)).rows.map(({ id }) => id)
}

test.each([
  ['createdAt', 'created_at'],
  ['title', 'title'],
  ['total', 'total'],
  ['units', 'units'],
  ['score', 'score'],
  ['dueOn', 'due_on'],
  ['sentAt', 'sent_at'],
] as const)(
  'a joined list sorted by %s has each row once, in both directions, though many rows have the same value',
  async (field, column) => {
    const ascending = await walk({ limit: 7, sort: field, filters: {} })
    expect(ascending).toEqual(await select(`order by ${column}, id`))
    const descending = await walk({ limit: 7, sort: `-${field}`, filters: {} })
    expect(descending).toEqual(ascending.toReversed())
  },
)

test('filters select the rows of the table that they name, also on later pages', async () => {
  const [first] = (await admin.query(`select id from customers order by title`)).rows
  const found = await walk({ limit: 2, sort: '-total', filters: { customer: first.id, state: 'open', isPaid: true } })
  expect(found).toEqual(
    await select(`where customer = '${first.id}' and state = 'open' and is_paid order by total desc, id desc`),
  )
  expect(found.length).toBeGreaterThan(4)
  const rest = await walk({ limit: 50, sort: 'createdAt', filters: { isPaid: false, state: undefined } })
  expect(rest).toEqual(await select('where not is_paid order by created_at, id'))
})

test('pages with the same sort order and the same filters share a query for any values', async () => {
  compiled = 0
  await walk({ limit: 9, sort: 'total', filters: { state: 'open' } })
  await walk({ limit: 4, sort: 'total', filters: { state: 'closed' } })
  // One query for the first page, and one query for later pages.
  expect(compiled).toBe(2)
})

test.each([
  [
    'a sort',
    { sort: 'total', filters: {} },
    /Index Scan using orders_total_id_idx.*Index Cond: \(ROW\(.*total, .*id\) > ROW/s,
  ],
  [
    'a filter',
    { sort: '-createdAt', filters: { state: 'open' } },
    /Index Scan using orders_state_created_at_id_idx.*Index Cond: \(\(\(.*state\)::text = .*ROW\(.*created_at, .*id\) < ROW/s,
  ],
] as const)('the index of %s gives a page without sorting rows', async (_title, page, plan) => {
  const value = page.sort === 'total' ? '-1.01' : '2026-11-22T20:46:02.126Z'
  const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
  await list({ ...page, limit: 3, cursor: { value, id } })
  const last = await admin.query(`select query from pg_stat_activity where application_name = 'lists'`)
  await admin.query('set enable_seqscan = off; set enable_sort = off; set enable_incremental_sort = off')
  await admin.query('set enable_hashjoin = off; set enable_mergejoin = off; set plan_cache_mode = force_generic_plan')
  const values = [...Object.values(page.filters), value, id, '3'].map((each) => `'${each}'`)
  await admin.query(`prepare page as ${last.rows[0].query}`)
  const { rows } = await admin.query(`explain execute page(${values})`)
  await admin.query('reset all; deallocate page')
  const text = rows.map((row) => row['QUERY PLAN']).join('\n')
  expect(text).toMatch(plan)
  expect(text).not.toMatch(/Sort/)
})

test('columns are camelCase, and the keys inside a JSON column stay unchanged', async () => {
  const [order] = await list({ limit: 1, sort: 'title', filters: {} })
  expect(order).toMatchObject({ isPaid: expect.any(Boolean), customerTitle: expect.stringMatching(/^customer/) })
  expect(order?.['extra']).toEqual({ some_key: [{ other_key: 0.1 }] })
  const db = postgres.db.withTables<Tables>()
  const extra = { next_key: { deep_key: 'a' } }
  const query = db
    .updateTable('orders')
    .set({ extra })
    .where('id', '=', order?.id ?? '')
  expect(await query.returning('extra').executeTakeFirst()).toEqual({ extra })
})

test('the error of a violated foreign key names the side that violates it', async () => {
  const db = postgres.db.withTables<Tables>()
  const missing = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
  const [order] = await list({ limit: 1, sort: 'title', filters: {} })
  const { id: _id, customerTitle: _title, ...row } = order ?? { id: '' }
  const store = withStoreProblems({
    insert: () =>
      db
        .insertInto('orders')
        .values({ ...(row as unknown as OrderFields), customer: missing })
        .execute(),
    update: () => db.updateTable('orders').set({ customer: missing }).execute(),
    remove: () => db.deleteFrom('customers').execute(),
  })
  await expect(store.insert()).rejects.toMatchObject({ code: 'reference_not_found' })
  await expect(store.update()).rejects.toMatchObject({ code: 'reference_not_found' })
  await expect(store.remove()).rejects.toMatchObject({ code: 'still_referenced' })
})
