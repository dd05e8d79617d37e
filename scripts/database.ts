/*
 * node scripts/database.ts migrate  applies the migrations of the sources (make migrate)
 * node scripts/database.ts seed     also runs internal/store/seeds/*.sql (make seed)
 * node scripts/database.ts reset    deletes the data of the local PostgreSQL before that (make reset)
 *
 * Uses MIGRATION_DATABASE_URL or DATABASE_URL. When both are unset, uses the local PostgreSQL of make dev and make run,
 * and starts it when it is not running.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import pg from 'pg'
import { maskUrl } from '#config/load.ts'
import { createSettings } from '#config/settings.ts'
import { migrate } from '#internal/store/migrate.ts'
import { migrateLocal } from './migrations/local.ts'
import { findPostgres, startPostgres } from './services/postgres.ts'

process.chdir(dirname(import.meta.dirname))

const LOCAL = resolve('.local/postgres')
const SEEDS = 'internal/store/seeds'

interface Database {
  readonly url: string
  /** True for the PostgreSQL of make dev and make run. */
  readonly isLocal: boolean
}

async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  const { DATABASE_URL, MIGRATION_DATABASE_URL } = createSettings({ NODE_ENV: 'development', ...process.env }).current()
  const given = MIGRATION_DATABASE_URL ?? DATABASE_URL
  const url = given ?? (await findPostgres(LOCAL))
  if (url !== undefined) return work({ url, isLocal: given === undefined })
  const server = await startPostgres({ directory: LOCAL, port: 5432 })
  try {
    await work({ url: server.url, isLocal: true })
  } finally {
    await server.stop()
  }
}

async function migrateDatabase({ url, isLocal }: Database): Promise<void> {
  console.info(`database ${maskUrl(url)}`)
  const run = isLocal ? migrateLocal : migrate
  const applied = await run({ url, applicationName: 'make migrate', say: console.info })
  if (applied.length === 0) console.info('nothing to apply: the database is up to date')
}

async function withClient({ url }: Database, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'make seed' })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

/** Runs the files in the order of their names, each in a separate transaction. */
async function seedDatabase(database: Database): Promise<void> {
  await migrateDatabase(database)
  await withClient(database, async (client) => {
    const files = existsSync(SEEDS) ? readdirSync(SEEDS).filter((file) => file.endsWith('.sql')) : []
    for (const file of files.sort()) {
      // PostgreSQL runs a text of several statements as one transaction.
      await client.query(readFileSync(join(SEEDS, file), 'utf8'))
      console.info(`seeded ${join(SEEDS, file)}`)
    }
    if (files.length === 0) console.info(`nothing to seed: ${SEEDS} has no .sql file`)
  })
}

async function resetDatabase(database: Database): Promise<void> {
  if (!database.isLocal) throw new Error('make reset deletes data only in the local PostgreSQL: unset DATABASE_URL')
  await withClient(database, async (client) => {
    await client.query('drop schema public cascade; create schema public')
  })
  await seedDatabase(database)
}

const commands: Readonly<Record<string, (database: Database) => Promise<void>>> = {
  migrate: migrateDatabase,
  seed: seedDatabase,
  reset: resetDatabase,
}
const command = commands[process.argv[2] ?? '']
if (command === undefined) throw new Error('expected migrate, seed or reset')
try {
  await withDatabase(command)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
