/*
 * node scripts/database.ts migrate  applies the migrations of the sources (make migrate)
 * node scripts/database.ts seed     also runs internal/store/seeds/*.sql (make seed)
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
import { findPostgres, startPostgres } from './services/postgres.ts'

process.chdir(dirname(import.meta.dirname))

const LOCAL = resolve('.local/postgres')
const SEEDS = 'internal/store/seeds'

async function withDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const { DATABASE_URL, MIGRATION_DATABASE_URL } = createSettings({ NODE_ENV: 'development', ...process.env }).current()
  const url = MIGRATION_DATABASE_URL ?? DATABASE_URL ?? findPostgres(LOCAL)
  if (url !== undefined) return work(url)
  const server = await startPostgres({ directory: LOCAL, port: 5432 })
  try {
    await work(server.url)
  } finally {
    await server.stop()
  }
}

async function migrateDatabase(url: string): Promise<void> {
  console.info(`database ${maskUrl(url)}`)
  const applied = await migrate({ url, applicationName: 'make migrate', say: console.info })
  if (applied.length === 0) console.info('nothing to apply: the database is up to date')
}

/** Runs the files in the order of their names, each in a separate transaction. */
async function seedDatabase(url: string): Promise<void> {
  await migrateDatabase(url)
  const client = new pg.Client({ connectionString: url, application_name: 'make seed' })
  await client.connect()
  try {
    const files = existsSync(SEEDS) ? readdirSync(SEEDS).filter((file) => file.endsWith('.sql')) : []
    for (const file of files.sort()) {
      // PostgreSQL runs a text of several statements as one transaction.
      await client.query(readFileSync(join(SEEDS, file), 'utf8'))
      console.info(`seeded ${join(SEEDS, file)}`)
    }
    if (files.length === 0) console.info(`nothing to seed: ${SEEDS} has no .sql file`)
  } finally {
    await client.end()
  }
}

const commands: Readonly<Record<string, (url: string) => Promise<void>>> = {
  migrate: migrateDatabase,
  seed: seedDatabase,
}
const command = commands[process.argv[2] ?? '']
if (command === undefined) throw new Error('expected migrate or seed')
try {
  await withDatabase(command)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
