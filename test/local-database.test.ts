import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { findPostgres, startPostgres } from '../scripts/services/postgres.ts'
import { run } from './support/run.ts'
import { freePort, until } from './support/services.ts'
import { copyTree, temporaryDirectory } from './support/temporary.ts'

/*
 * These tests run make dev, make migrate, make seed and make migration, in a copy of this tree with a separate
 * database.
 */

// Each test starts processes, and the service restarts after each save.
jest.setTimeout(180_000)

let root: string
let dev: ChildProcess
let output = ''
let port: number

beforeAll(async () => {
  root = copyTree('local')
  const seeds = join(root, 'internal/store/seeds')
  rmSync(seeds, { recursive: true, force: true })
  mkdirSync(seeds, { recursive: true })
  port = await freePort()
})
afterAll(async () => {
  if (dev?.exitCode !== null || dev.signalCode !== null) return
  const closed = once(dev, 'close')
  dev.kill('SIGTERM')
  await closed
})

const script = (file: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
  run(process.execPath, [join('scripts', file), ...args], { cwd: root, env: { DATABASE_URL: '', ...env } })

/** Writes the SQL of a new migration, as a developer does after `make migration`. */
async function addMigration(name: string, sql: string): Promise<string> {
  const { code, stdout } = await script('migration.ts', [], { NAME: name })
  expect(code).toBe(0)
  const file = stdout.trim()
  expect(file).toMatch(new RegExp(`^internal/store/migrations/\\d{14}-${name}\\.ts$`))
  // Replace the whole file, as editors do.
  writeFileSync(join(root, `${file}.new`), readFileSync(join(root, file), 'utf8').replace('`\n`', `\`${sql}\``))
  renameSync(join(root, `${file}.new`), join(root, file))
  return file
}

async function isReady(): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined)
  return response?.ok === true
}

test('make migrate starts the local database when it does not run, and applies the migration that make migration wrote', async () => {
  await addMigration('things', 'create table things (id int primary key)')
  const { code, stdout } = await script('database.ts', ['migrate'])
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^database postgres:\/\/\*\*\*@127\.0\.0\.1:\d+\/postgres\n(applied .*\n)*applied \d{14}-things\n$/,
  )
  expect((await script('database.ts', ['migrate'])).stdout).toContain('nothing to apply')
})

test('make dev reports an invalid variable once, as the service does', async () => {
  for (const [name, value] of [
    ['PORT', 'x'],
    ['LOG_LEVEL', 'loud'],
  ] as const) {
    const env = { PORT: String(port), REDIS_URL: 'redis://127.0.0.1:1', [name]: value }
    const { code, stderr } = await script('run.ts', ['--watch'], env)
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: expect.stringMatching(
        new RegExp(`^invalid configuration, 1 problem:\\n  ${name}: got "${value}", expected .*\\n$`),
      ),
    })
  }
})

test('make dev applies a new migration at the next save', async () => {
  dev = spawn(process.execPath, ['scripts/run.ts', '--watch'], {
    cwd: root,
    env: {
      ...process.env,
      PORT: String(port),
      DATABASE_URL: '',
      REDIS_URL: 'redis://127.0.0.1:1',
      REDIS_CRITICAL: 'false',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [dev.stdout, dev.stderr]) stream?.on('data', (chunk) => (output += chunk))
  await until(isReady, 60_000)
  await until(() => /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: serving$/m.test(output))
  expect((await fetch(`http://127.0.0.1:${port}/ping`)).status).toBe(200)
  await until(() => /^\[.*\] INFO: request GET \/ping 200 \d+\.\d ms \{"http\.request\.id":/m.test(output))
  await addMigration('more-things', 'alter table things add column name text')
  await until(() => /applied \d{14}-more-things/.test(output), 60_000)
  await until(isReady, 60_000)
})

test('a migration that fails shows its error, the service is not ready, and the next save repairs it', async () => {
  const file = await addMigration('broken', 'select from nowhere')
  await until(() => output.includes('relation "nowhere" does not exist'), 60_000)
  await until(async () => !(await isReady()), 60_000)
  writeFileSync(join(root, file), "export const up = 'select'\n")
  await until(isReady, 60_000)
})

test('make seed uses the database of make dev, and a second run changes nothing', async () => {
  const seeds = join(root, 'internal/store/seeds')
  writeFileSync(join(seeds, '1-first.sql'), "insert into things (id, name) values (1, 'seed') on conflict do nothing")
  writeFileSync(join(seeds, '2-second.sql'), 'do $$ begin assert (select count(*) from things) = 1; end $$')
  for (const _ of [1, 2]) {
    expect(await script('database.ts', ['seed'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /seeded internal.store.seeds.1-first\.sql\nseeded internal.store.seeds.2-second\.sql\n$/,
      ),
    })
  }
  writeFileSync(join(seeds, '3-broken.sql'), "insert into things values (2, 'half'); select from nowhere")
  writeFileSync(join(seeds, '2-second.sql'), '')
  expect(await script('database.ts', ['seed'])).toMatchObject({
    code: 1,
    stderr: 'relation "nowhere" does not exist\n',
  })
  rmSync(join(seeds, '3-broken.sql'))
  writeFileSync(join(seeds, '2-second.sql'), 'do $$ begin assert (select count(*) from things) = 1; end $$')
  expect(await script('database.ts', ['seed'])).toMatchObject({ code: 0 })
})

test('make dev names a migration that has changed since it ran, and make reset runs it on an empty database', async () => {
  const file = await addMigration('late-thought', 'alter table things add column size int')
  await until(() => /applied \d{14}-late-thought/.test(output), 60_000)
  writeFileSync(join(root, file), "export const up = 'alter table things add column height int'\n")
  await until(() => /\d{14}-late-thought has changed .*make reset/.test(output), 60_000)
  const { code, stdout } = await script('database.ts', ['reset'])
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(/applied \d{14}-late-thought\n(seeded .*\n)+$/),
  })
  writeFileSync(join(root, 'internal/store/seeds/3-height.sql'), 'update things set height = 1')
  const seeded = await script('database.ts', ['seed'])
  expect(seeded).toMatchObject({ code: 0, stdout: expect.not.stringContaining('has changed') })
  await until(isReady, 60_000)
})

test('a second make dev in the same folder says that the first one uses the local PostgreSQL', async () => {
  const { code, stderr } = await script('run.ts', ['--watch'], { PORT: String(await freePort()) })
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/: another make run or make dev uses /) })
})

test('make reset refuses a database that DATABASE_URL names', async () => {
  const env = { DATABASE_URL: 'postgres://app@127.0.0.1:1/orders' }
  const { code, stderr } = await script('database.ts', ['reset'], env)
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('unset DATABASE_URL') })
})

test('the local PostgreSQL recovers from an initialization that was killed', async () => {
  const directory = temporaryDirectory('killed')
  const bin = temporaryDirectory('bin')
  // The user of PostgreSQL runs the shell.
  chmodSync(bin, 0o755)
  // This shell starts an initialization and is killed. The script in $2 is: echo PASSWORD | "$0" -D DIRECTORY …
  const shell = '#!/bin/sh\nset -- $2\nmkdir -p "$6"\necho 18 >"$6/PG_VERSION"\nkill -9 $$\n'
  writeFileSync(join(bin, 'sh'), shell, { mode: 0o755 })
  const { PATH } = process.env
  process.env['PATH'] = `${bin}:${PATH}`
  try {
    await expect(startPostgres({ directory })).rejects.toThrow()
  } finally {
    process.env['PATH'] = PATH
  }
  const server = await startPostgres({ directory })
  expect(server.url).toContain('postgres://')
  await server.stop()
})

test('the error for data of another version of PostgreSQL says what to do', async () => {
  const directory = temporaryDirectory('version')
  await (await startPostgres({ directory })).stop()
  writeFileSync(join(directory, 'data/PG_VERSION'), '9\n')
  await expect(startPostgres({ directory })).rejects.toThrow(/: another version wrote these data: delete the folder/)
})

test('the record of a killed PostgreSQL is ignored when another program has its process id', async () => {
  const directory = temporaryDirectory('record')
  const server = await startPostgres({ directory })
  expect(await findPostgres(directory)).toBe(server.url)
  const record = readFileSync(join(directory, 'data/postmaster.pid'), 'utf8')
  await server.stop()
  writeFileSync(join(directory, 'data/postmaster.pid'), record.replace(/^\d+/, String(process.pid)))
  expect(await findPostgres(directory)).toBeUndefined()
})

test.each(['', '../x', 'Things', 'things', 'delete', 'migrations'])(
  'make migration refuses the name %j and writes no file',
  async (NAME) => {
    const list = () => readdirSync(join(root, 'internal/store/migrations'))
    const before = list()
    const { code, stderr } = await script('migration.ts', [], { NAME })
    expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringMatching(/^NAME: got ".*", .*\n$/) })
    expect(list()).toEqual(before)
  },
)
