import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { reportMigrations } from '../internal/store/migrate.ts'
import { migrations } from '../internal/store/migrations/index.ts'
import { type MigrateEvent, migrate as run } from '../pkg/postgres/migrate.ts'
import type { Migration, Migrations } from '../pkg/postgres/migrate-plan.ts'
import { checkMigrations } from '../scripts/check-migrations.ts'
import { killApps, runApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { usePostgres } from './support/postgres.ts'
import { until } from './support/services.ts'

const postgres = usePostgres()
let url: string
let clients: pg.Client[] = []

let count = 0
beforeEach(async () => {
  const name = `migrate_${count++}`
  await postgres.admin.query(`create database ${name}`)
  url = postgres.server.url.replace(/[^/]+$/, name)
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.end()))
  clients = []
  await killApps()
})

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(url)
  clients.push(client)
  // A test may end the connection in the server.
  client.on('error', () => {})
  await client.connect()
  return client
}

const query = async (text: string) => (await (await connect()).query(text)).rows
const app = (...args: string[]) => runApp(args, { env: { DATABASE_URL: url } })

/** Runs migrations on a separate connection, without pauses between attempts, and collects the events. */
async function migrate(scripts: Migrations, options: Partial<Parameters<typeof run>[0]> = {}) {
  const events: MigrateEvent[] = []
  const applied = run({
    client: await connect(),
    migrations: scripts,
    lockTimeoutMs: 50,
    pause: () => Promise.resolve(),
    onEvent: (event) => void events.push(event),
    ...options,
  })
  return { applied, events }
}
const apply = async (scripts: Migrations) => (await migrate(scripts)).applied

const things = { up: 'create table things (id int primary key); insert into things values (1)' }
const more = { up: 'alter table things add column name text' }

describe('app migrate', () => {
  const order = (name: string) => migrations[name]?.formerly ?? name
  const names = Object.keys(migrations).sort((a, b) => (order(a) < order(b) ? -1 : 1))

  test('applies missing migrations, prints each, and finds the database up to date afterwards', async () => {
    expect(await app('migrate')).toEqual({
      code: 0,
      stdout: names.map((name) => `applied ${name}\n`).join(''),
      stderr: '',
    })
    expect(await app('migrate')).toMatchObject({ code: 0, stdout: 'nothing to apply: the database is up to date\n' })
    expect(await query(`select from pg_proc where proname = 'set_updated_at'`)).toHaveLength(1)
  })

  test('--status lists applied, pending and unknown migrations, and changes nothing', async () => {
    const pending = names.map((name) => `pending  ${name}\n`).join('')
    expect(await app('migrate', '--status')).toEqual({ code: 0, stdout: pending, stderr: '' })
    expect(await query(`select from pg_tables where schemaname = 'public'`)).toEqual([])
    await app('migrate')
    await query(`insert into schema_migrations values ('99990101000000-of-a-newer-build')`)
    expect(await app('migrate', '--status')).toEqual({
      code: 0,
      stdout: `${names.map((name) => `applied  ${name}\n`).join('')}unknown  99990101000000-of-a-newer-build (applied by another build)\n`,
      stderr: '',
    })
    expect(await app('migrate', '--stat')).toMatchObject({ code: 64, stderr: expect.stringContaining('only --status') })
  })

  test('MIGRATION_DATABASE_URL takes the place of a DATABASE_URL that leads to a pooler', async () => {
    const env = { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/app', MIGRATION_DATABASE_URL: url }
    expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0, stdout: expect.stringContaining('applied ') })
  })

  test('exits 78 without a configured database, and exits 1 when the database is down', async () => {
    expect(await runApp(['migrate'])).toMatchObject({ code: 78, stderr: expect.stringContaining('DATABASE_URL') })
    const env = { DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/app' }
    for (const args of [['migrate'], ['migrate', '--status']]) {
      const stderr = 'no connection to the database: connect ECONNREFUSED 127.0.0.1:1\n'
      expect(await runApp(args, { env })).toMatchObject({ code: 1, stderr })
    }
  })

  test('a failed migration exits 1 and prints the error of PostgreSQL without a stack', async () => {
    await query(`create function set_updated_at() returns void language sql as 'select'`)
    const { code, stdout, stderr } = await app('migrate')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^migration \d+-updated-at failed: function .* already exists.*\nIt was rolled back\./)
    expect(stderr).not.toContain('node:')
  })
})

test('four simultaneous runs apply each migration once', async () => {
  const scripts = { '20260101000000-things': things, '20260102000000-more': more }
  const applied = await Promise.all([1, 2, 3, 4].map(() => apply(scripts)))
  expect(applied.flat().sort()).toEqual(Object.keys(scripts))
})

test('a failed migration leaves no changes, and the migrations before it stay applied', async () => {
  const broken = { up: 'create table other (id int);\nselect from nowhere' }
  const scripts = { '20260101000000-things': things, '20260102000000-broken': broken }
  await expect(apply(scripts)).rejects.toMatchObject({
    code: '42P01',
    migration: '20260102000000-broken',
    message: expect.stringMatching(/"nowhere" does not exist\n {2}line 2: select from nowhere\nIt was rolled back/),
  })
  expect(await query(`select tablename from pg_tables where tablename in ('things', 'other')`)).toEqual([
    { tablename: 'things' },
  ])
  expect(await apply({ ...scripts, '20260102000000-broken': { up: 'select' } })).toEqual(['20260102000000-broken'])
})

test('a migration without SQL is refused, and runs after its SQL has been written', async () => {
  for (const empty of [{ up: '\n' }, { up: [], transaction: false }])
    await expect(apply({ '20260101000000-things': empty })).rejects.toThrow('things failed: it has no SQL')
  expect(await apply({ '20260101000000-things': things })).toEqual(['20260101000000-things'])
})

test('a late migration is applied, and a migration of a newer build is reported and kept', async () => {
  const newer = { '20260101000000-things': things, '20260103000000-newest': { up: 'create table newest ()' } }
  await apply(newer)
  const { applied, events } = await migrate({ '20260101000000-things': things, '20260102000000-more': more })
  expect(await applied).toEqual(['20260102000000-more'])
  expect(events).toEqual([
    { type: 'unknown', migrations: ['20260103000000-newest'] },
    { type: 'applied', migration: '20260102000000-more' },
  ])
  expect(await apply(newer)).toEqual([])
})

describe("a database that Kysely's migrator has migrated", () => {
  const own = { '0003-of-a-service': { up: 'create table invoices ()' } }
  const renamed = Object.fromEntries(Object.entries(migrations).filter(([, { formerly }]) => formerly !== undefined))
  const former: Migrations = Object.fromEntries(
    Object.values(renamed).map(({ formerly = '', ...migration }) => [formerly, migration]),
  )
  const numbered = { ...former, ...own }

  /** Migrates as an older build does, with Kysely's migrator and the former names. */
  async function migrateWithKysely() {
    const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) })
    const scripts = Object.entries(numbered).map(
      ([name, { up }]) =>
        [
          name,
          {
            up: (on: Kysely<unknown>) =>
              sql
                .raw(String(up))
                .execute(on)
                .then(() => {}),
          },
        ] as const,
    )
    const provider = { getMigrations: () => Promise.resolve(Object.fromEntries(scripts)) }
    const { error, results = [] } = await new Migrator({ db, provider }).migrateToLatest()
    await db.destroy()
    if (error !== undefined) throw error
    return results.map(({ migrationName }) => migrationName)
  }

  test('keeps its migrations under their new names, and an older build still migrates', async () => {
    expect(await migrateWithKysely()).toEqual(Object.keys(numbered))
    const { stdout: status } = await app('migrate', '--status')
    const { code, stdout } = await app('migrate')
    expect(code).toBe(0)
    for (const name of Object.keys(renamed)) {
      expect(status).toContain(`applied  ${name}\n`)
      expect(stdout).not.toContain(`applied ${name}\n`)
    }
    expect(stdout).toContain('the database has migrations that this build does not contain: 0003-of-a-service\n')
    // The older build finds its own table as it was.
    expect(await migrateWithKysely()).toEqual([])
  })

  test('a new database gets the same order: renamed migrations, then migrations with numbers, then migrations with times', async () => {
    const applied = await apply({ '20260101000000-things': things, ...own, ...renamed })
    expect(applied).toEqual([...Object.keys(renamed).sort(), '0003-of-a-service', '20260101000000-things'])
  })
})

describe('a table that a long transaction holds', () => {
  const scripts = { '20260101000000-things': things, '20260102000000-more': more }

  test('writers continue while the migration tries again, and the migration succeeds after the transaction has ended', async () => {
    await apply({ '20260101000000-things': things })
    const [holder, writer] = [await connect(), await connect()]
    await holder.query('begin; insert into things values (2)')
    const { applied, events } = await migrate(scripts, { attempts: 1_000 })
    let writes = 0
    let writing = true
    const writers = (async () => {
      for (; writing; writes++) await writer.query('insert into things values ($1)', [100 + writes])
    })()
    await until(() => events.length >= 5)
    const before = writes
    await until(() => writes > before + 5 && events.length >= 10)
    expect(events[0]).toEqual({
      type: 'retrying',
      migration: '20260102000000-more',
      attempt: 2,
      oldest: expect.stringMatching(/the oldest transaction is open for \d+ s: process \d+/),
    })
    await holder.query('commit')
    expect(await applied).toEqual(['20260102000000-more'])
    writing = false
    await writers
  })

  test('the migration fails after its last attempt, and reports the number of attempts', async () => {
    await apply({ '20260101000000-things': things })
    const holder = await connect()
    await holder.query('begin; lock table things')
    const { applied } = await migrate(scripts, { attempts: 3 })
    await expect(applied).rejects.toMatchObject({
      code: '55P03',
      message: expect.stringContaining('20260102000000-more failed after 3 attempts: canceling statement due to lock'),
    })
  })
})

test('the example of docs/database.md runs and passes make lint, and its old and new versions can write between steps', async () => {
  const page = readFileSync('docs/database.md', 'utf8')
  const blocks = page.matchAll(/^```ts\n\/\/ internal\/store\/migrations\/(.+)\.ts\n([\s\S]*?)^```$/gm)
  const steps: [string, Migration][] = []
  for (const [, name = '', code = ''] of blocks)
    steps.push([name, await import(`data:text/javascript,${encodeURIComponent(code)}`)])
  expect(steps).toHaveLength(4)
  const names = steps.map(([name]) => name)
  expect(checkMigrations(Object.fromEntries(steps), names)).toEqual([])

  const scripts: Record<string, Migration> = {
    '20260101000000-invoices': {
      up: `create table invoices (id serial primary key, total int not null);
        insert into invoices (total) select n from generate_series(1, 2500) as n`,
    },
  }
  await apply(scripts)
  // The versions that run before and after each step: both must be able to write.
  const oldest = 'insert into invoices (total) values (1)'
  const both = 'insert into invoices (total, amount) values (1, 100)'
  const newest = 'insert into invoices (amount) values (100)'
  const versions = [[oldest], [oldest, both], [both], [both, newest], [newest]]
  for (const [index, writes] of versions.entries()) {
    for (const write of writes) await query(write)
    const [name, migration] = steps[index] ?? []
    if (name === undefined || migration === undefined) break
    scripts[name] = migration
    expect(await apply(scripts)).toEqual([name])
  }
  expect(await query('select count(*)::int from invoices where amount is null')).toEqual([{ count: 0 }])
  expect(await query(`select column_name from information_schema.columns where table_name = 'invoices'`)).toEqual([
    { column_name: 'id' },
    { column_name: 'amount' },
  ])
})

test('the error for a pooler that refuses the connection names the variable to set', async () => {
  const refusal = Buffer.from('SFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0')
  const header = Buffer.alloc(5)
  header.write('E')
  header.writeInt32BE(refusal.length + 4, 1)
  const pooler = createServer((socket) => socket.once('data', () => socket.end(Buffer.concat([header, refusal]))))
  const { port, stop } = await listen(pooler)
  const env = { DATABASE_URL: `postgres://app:hunter2@127.0.0.1:${port}/app` }
  const { code, stderr } = await runApp(['migrate'], { env })
  await stop()
  expect(code).toBe(1)
  expect(stderr).toContain('set MIGRATION_DATABASE_URL to PostgreSQL itself')
})

describe('a migration outside a transaction', () => {
  const index = { up: 'create index concurrently if not exists things_name on things (name)', transaction: false }
  const unique = {
    up: ['create unique index concurrently if not exists "Things one" on things (name)', 'analyze things'],
    transaction: false,
  }
  const before = { '20260101000000-things': things, '20260102000000-more': more }
  const scripts = { ...before, '20260103000000-index': index }

  test('creates an index while another process waits for its turn', async () => {
    await apply(before)
    const holder = await connect()
    await holder.query('begin; insert into things values (2)')
    const first = await migrate(scripts)
    // The process waits for the older transaction, and holds the lock of the migrator.
    await until(async () => (await query(`select from pg_stat_progress_create_index`)).length === 1)
    const second = await migrate(scripts)
    await until(() => second.events.some(({ type }) => type === 'waiting'))
    await holder.query('commit')
    expect([await first.applied, await second.applied]).toEqual([['20260103000000-index'], []])
    expect(await query(`select indisvalid from pg_index where indexrelid = 'things_name'::regclass`)).toEqual([
      { indisvalid: true },
    ])
  })

  test('PostgreSQL refuses the same statement in a transaction', async () => {
    await expect(apply({ ...scripts, '20260103000000-index': { up: index.up } })).rejects.toMatchObject({
      code: '25001',
    })
  })

  test('reports an incomplete index that it leaves behind, drops it in its next run, and completes', async () => {
    await apply(before)
    await query(`insert into things values (2, 'twice'), (3, 'twice')`)
    const failing = { ...before, '20260103000000-unique': unique }
    await expect(apply(failing)).rejects.toMatchObject({
      code: '23505',
      message: expect.stringContaining('It left the incomplete index "Things one", which the next run drops.'),
    })
    const lines: string[] = []
    await reportMigrations({ url, applicationName: 'status', migrations: failing, say: (line) => lines.push(line) })
    expect(lines.at(-1)).toBe('pending  20260103000000-unique (interrupted: the index "Things one" is incomplete)')
    await query('delete from things where id = 3')
    const { applied, events } = await migrate(failing)
    expect(await applied).toEqual(['20260103000000-unique'])
    expect(events[0]).toEqual({ type: 'dropped', migration: '20260103000000-unique', index: '"Things one"' })
    expect(await query(`select indisvalid from pg_index where indexrelid = '"Things one"'::regclass`)).toEqual([
      { indisvalid: true },
    ])
  })

  test('a process that is killed while it creates an index does not stop the next run', async () => {
    await apply(before)
    const holder = await connect()
    await holder.query('begin; insert into things values (2)')
    const { applied } = await migrate(scripts)
    const killed = expect(applied).rejects.toThrow()
    await until(async () => (await query(`select from pg_stat_progress_create_index`)).length === 1)
    await query(`select pg_terminate_backend(pid) from pg_stat_progress_create_index`)
    await killed
    await holder.query('commit')
    const { applied: again, events } = await migrate(scripts)
    expect(await again).toEqual(['20260103000000-index'])
    expect(events.map(({ type }) => type)).toEqual(['dropped', 'applied'])
  })
})
