import { randomUUID } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import pg from 'pg'
import { findLines, killApps, type RunningApp, runApp, startApp } from '../support/app.ts'
import { succeed } from '../support/run.ts'
import { type TestService, testPostgres, until } from '../support/services.ts'
import { copyTree } from '../support/temporary.ts'

/*
 * These tests use two artifacts. The artifact of this tree is the previous version. The next version is built from a
 * copy of this tree that has further migrations and no other change.
 */

/** Expands the schema: a migration that arrives late, a column of a table in use, and an index on it. */
const EXPAND = {
  '20260101000000-late': `export const up = 'create table late (id int)'`,
  '99990101000000-column': `export const up = "alter table notes add column mood text not null default 'calm'"`,
  '99990102000000-index': `export const transaction = false
export const up = 'create index concurrently if not exists notes_mood on notes (mood, text, title)'`,
}
const added = Object.keys(EXPAND)

let database: TestService
let admin: pg.Client
let next: readonly string[]
let url: string

beforeAll(async () => {
  database = await testPostgres()
  admin = new pg.Client(database.url)
  await admin.connect()
  next = [process.execPath, await buildNext()]
}, 120_000)
afterAll(async () => {
  await admin.end()
  await database.stop()
})

let count = 0
beforeEach(async () => {
  const name = `rolling_${count++}`
  await admin.query(`create database ${name}`)
  url = database.url.replace(/[^/]+$/, name)
})
afterEach(killApps)

/** Builds the bundle of the next version. @returns its path */
async function buildNext(): Promise<string> {
  const root = copyTree('next')
  const folder = join(root, 'internal/store/migrations')
  renameSync(join(folder, 'index.ts'), join(folder, 'previous.ts'))
  const imports = added.map((name, number) => `import * as m${number} from '${join(folder, name)}.ts'`)
  const entries = added.map((name, number) => `'${name}': m${number}`)
  const index = `export const migrations = { ...previous, ${entries.join(', ')} }`
  writeFileSync(
    join(folder, 'index.ts'),
    [`import { migrations as previous } from '${join(folder, 'previous')}.ts'`, ...imports, index].join('\n'),
  )
  for (const [name, text] of Object.entries(EXPAND)) writeFileSync(join(folder, `${name}.ts`), text)
  await succeed(process.execPath, ['scripts/build.ts', 'bundle'], { cwd: root })
  return join(root, 'dist/server.cjs')
}

const previousApp = (...args: string[]) => runApp(args, { env: { DATABASE_URL: url } })
const nextApp = (...args: string[]) => runApp(args, { env: { DATABASE_URL: url }, program: next })

async function query(text: string) {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query(text)
  await client.end()
  return rows
}

/** Six clients that write, read and list notes, each with one request at a time. */
function startLoad({ url }: RunningApp) {
  const failures: string[] = []
  let sent = 0
  let stopping = false
  async function ask(path: string, status: number, init?: RequestInit): Promise<Response | undefined> {
    sent++
    try {
      const response = await fetch(url + path, init)
      if (response.status !== status) failures.push(`${path} ${response.status} ${await response.text()}`)
      else return response
    } catch (error) {
      failures.push(`${path} ${error}`)
    }
    return undefined
  }
  async function client(): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    while (!stopping) {
      const body = JSON.stringify({ title: randomUUID(), text: 'written under load' })
      const created = await ask('/v1/notes', 201, { method: 'POST', headers, body })
      await created?.arrayBuffer()
      const location = created?.headers.get('location')
      if (location) await (await ask(new URL(location, url).pathname, 200))?.arrayBuffer()
      await (await ask('/v1/notes', 200))?.arrayBuffer()
    }
  }
  const clients = Promise.all(Array.from({ length: 6 }, client))
  return {
    failures,
    sent: () => sent,
    async stop() {
      stopping = true
      await clients
    },
  }
}

test('the previous version loses no request while the next version migrates, and serves on the new schema', async () => {
  expect(await previousApp('migrate')).toMatchObject({ code: 0 })
  await query(`insert into notes (title, text) select 'n' || n, repeat('x', 500) from generate_series(1, 50000) n`)
  const app = await startApp({ env: { DATABASE_URL: url, HEALTH_INTERVAL_MS: '100', HEALTH_TIMEOUT_MS: '100' } })
  await app.line({ message: 'check ok', 'service.target.name': 'database' })
  const load = startLoad(app)
  await until(() => load.sent() > 100, 60_000)

  const before = load.sent()
  expect(await nextApp('migrate')).toEqual({
    code: 0,
    stdout: added.map((name) => `applied ${name}\n`).join(''),
    stderr: '',
  })
  const after = load.sent()
  const reported = () => findLines(app, 'database has migrations of another build').at(-1)?.['App.migrations']
  await until(() => JSON.stringify(reported()) === JSON.stringify([...added].sort()), 60_000)
  await until(() => load.sent() > after + 500, 60_000)
  await load.stop()
  expect(load.failures).toEqual([])
  expect(after).toBeGreaterThan(before + 6)
  expect((await fetch(`${app.url}/health/ready`)).status).toBe(200)
  process.stdout.write(
    `0 of ${load.sent()} requests failed: ${after - before} requests while the next version migrated, ${load.sent() - after} after it\n`,
  )
}, 180_000)

test('requests of the previous version fail when a migration drops a column', async () => {
  expect(await previousApp('migrate')).toMatchObject({ code: 0 })
  const app = await startApp({ env: { DATABASE_URL: url } })
  const load = startLoad(app)
  await until(() => load.sent() > 100, 60_000)
  expect(load.failures).toEqual([])
  await query('alter table notes rename column text to body')
  await until(() => load.failures.length > 0, 60_000)
  await load.stop()
}, 180_000)

test('after a rollback the previous version migrates and serves, and the next version finds no pending migration later', async () => {
  expect(await nextApp('migrate')).toMatchObject({ code: 0 })
  const { code, stdout } = await previousApp('migrate')
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `the database has migrations that this build does not contain: ${[...added].sort().join(', ')}\nnothing to apply: the database is up to date\n`,
  })
  const app = await startApp({ env: { DATABASE_URL: url } })
  expect(await app.line({ message: 'database has migrations of another build' })).toMatchObject({
    'App.migrations': [...added].sort(),
  })
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ title: 'after a rollback' })
  expect((await fetch(`${app.url}/v1/notes`, { method: 'POST', headers, body })).status).toBe(201)
  expect(await nextApp('migrate')).toMatchObject({ code: 0, stdout: 'nothing to apply: the database is up to date\n' })
})
