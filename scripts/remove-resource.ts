/*
 * node scripts/remove-resource.ts, with NAME=invoice and, where needed, PLURAL=invoices
 *
 * Undoes scripts/resource.ts. Computes every change before it writes the first file.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { gitIn } from './git.ts'
import { dropAllDeadLinks } from './markdown.ts'
import { type Removal, unmakeResource } from './resource/files.ts'
import { readNames } from './resource/names.ts'

process.chdir(dirname(import.meta.dirname))

const read = (path: string) => readFileSync(path, 'utf8')

function refuse(problems: readonly string[]): number {
  for (const problem of problems) console.error(problem)
  return 64
}

function remove(given: Readonly<Record<string, string | undefined>>): number {
  const named = readNames(given)
  if ('problems' in named) return refuse(named.problems)
  const listed = gitIn('.')(['ls-files', '-z', '--cached', '--others', '--exclude-standard']).split('\0')
  const paths = [...new Set(listed)].filter((path) => path !== '' && existsSync(path))
  let removal: Removal
  try {
    removal = unmakeResource({ names: named.names, read }, paths)
  } catch (error) {
    return refuse([(error as Error).message])
  }
  const { deleted, migration } = removal
  const kept = paths.filter((path) => !deleted.includes(path))
  const edited = [...removal.edited, ...dropAllDeadLinks(kept, read)]
  for (const path of deleted) rmSync(path)
  for (const [path, text] of edited) writeFileSync(path, text)
  const list = (title: string, all: readonly string[]) => [title, ...all.map((path) => `  ${path}`)]
  console.info(
    [
      ...list('Deleted:', deleted),
      ...list(
        'Edited:',
        edited.map(([path]) => path),
      ),
    ].join('\n'),
  )
  console.warn(
    `A database that has run the migration ${migration} refuses every later migration without it. Where such a database exists,
keep the migration, and drop the table with a new one: git restore internal/store/migrations. docs/resources.md shows both.
A local database: delete .local/postgres.`,
  )
  return 0
}

process.exitCode = remove(process.env)
