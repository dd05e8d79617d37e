import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type MigrateOptions, migrate } from '#internal/store/migrate.ts'
import { migrations } from '#internal/store/migrations/index.ts'
import { findChanged, type Hashes } from './changed.ts'

const FILE = resolve('.local/migrations.json')

function readHashes(): Hashes {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'))
  } catch {
    return {}
  }
}

/** Migrates the local database. Also names the migrations that have changed since this database ran them. */
export async function migrateLocal(options: MigrateOptions): Promise<readonly string[]> {
  const applied = await migrate(options)
  const { changed, hashes } = findChanged(migrations, readHashes(), applied)
  mkdirSync(dirname(FILE), { recursive: true })
  writeFileSync(FILE, JSON.stringify(hashes))
  for (const name of changed) {
    options.say(`${name} has changed since the local database ran it, and does not run again: make reset`)
  }
  return applied
}
