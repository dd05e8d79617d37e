/*
 * Checks the migrations: their names, their registration, and their SQL. A migration must be compatible with the
 * version that serves while it runs: docs/database.md.
 */
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import type { Migrations } from '#pkg/postgres/migrate-plan.ts'
import { findUnsafe } from './migrations/rules.ts'

const FOLDER = 'internal/store/migrations'

const PROPERTIES = ['up', 'transaction', 'formerly', 'phase', 'blocking']

const MEANINGS = {
  breaks: "breaks the version that still runs, so it needs `export const phase = 'contract'`",
  blocks: 'makes writers wait, so it needs `export const blocking` with the reason why this is acceptable',
  fails: 'cannot run safely',
}

/** @returns one line for each problem */
export function checkMigrations(migrations: Migrations, files: readonly string[]): readonly string[] {
  const names = Object.keys(migrations)
  const unregistered = files.filter((name) => !names.includes(name))
  const problems = [
    ...unregistered.map((name) => `${name} is not in index.ts`),
    ...names
      .filter((name) => !/^\d{4}(\d{10})?-[a-z0-9-]+$/.test(name))
      .map((name) => `${name} does not begin with a time: create it with make migration`),
    ...names.filter((name) => !files.includes(name)).map((name) => `${name} has no file of the same name`),
  ]
  for (const [name, migration] of Object.entries(migrations)) {
    const strange = Object.keys(migration).filter((key) => !PROPERTIES.includes(key))
    problems.push(...strange.map((key) => `${name} exports ${key}, expected only ${PROPERTIES.join(', ')}`))
    if ([migration.up].flat().join('').trim() === '') problems.push(`${name} has no SQL`)
    for (const { kind, statement, advice } of findUnsafe(migration)) {
      problems.push(`${name}: «${statement.slice(0, 100)}» ${MEANINGS[kind]}. Safer: ${advice}.`)
    }
  }
  return problems.map((problem) => `${FOLDER}/${problem}`)
}

if (import.meta.main) {
  const { migrations } = await import('#internal/store/migrations/index.ts')
  const files = readdirSync(FOLDER).flatMap((file) => (file === 'index.ts' ? [] : basename(file, '.ts')))
  const problems = checkMigrations(migrations, files)
  for (const line of problems) console.error(line)
  process.exitCode = problems.length === 0 ? 0 : 1
}
