/*
 * node scripts/resource.ts, with NAME=invoice, FIELDS='number:string:unique,total:int' and optionally PLURAL=invoices and
 *   PARENT=customer
 * node scripts/resource.ts remove, with NAME=invoice and PLURAL=invoices
 *
 * Writes a resource as docs/resources.md describes it, or removes it. Computes every change before it changes a file.
 */
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { listFiles } from './git.ts'
import { dropDeadLinks } from './markdown.ts'
import { unmakeCalls } from './resource/calls.ts'
import { findParent, listExisting } from './resource/existing.ts'
import { readFields } from './resource/fields.ts'
import { findCollisions, makeResource, unmakeResource } from './resource/files.ts'
import { format } from './resource/format.ts'
import { type Names, readNames } from './resource/names.ts'
import { nameParentField } from './resource/values.ts'

process.chdir(dirname(import.meta.dirname))

const read = (path: string) => readFileSync(path, 'utf8')
const list = (title: string, paths: Iterable<string>) => [title, ...paths].join('\n  ')

function write(names: Names, text: string | undefined, parentName: string | undefined): void {
  const existing = listExisting(globSync(['internal/handler/*.ts', 'test/*/new-*.ts']))
  const parent = findParent(parentName, existing)
  const reference = parent && `${nameParentField(parent)}:references(${parentName})`
  const fields = readFields(
    text === undefined || text === '' ? text : [reference, text].filter(Boolean).join(),
    existing,
  )
  const migrations = readdirSync('internal/store/migrations')
  const { written, edited } = makeResource({ names, fields, parent, read, migrations, now: new Date() })
  // make remove-resource deletes the folder of the tests.
  const present = [
    ...[...written.keys()].filter((path) => existsSync(path)),
    ...globSync(`test/${names['user-profiles']}/**/*.*`),
  ]
  const taken = present.length > 0 ? [] : findCollisions({ names, read })
  const problems = [
    ...present.map((path) => `NAME: ${path} already exists`),
    ...taken.map((name) => `NAME: two declarations in one file would have the name ${name}`),
  ]
  if (problems.length > 0) throw new Error(problems.join('\n'))

  const files = [...written, ...edited].map(([path, text]) => [path, format(path, text)] as const)
  for (const [path, text] of files) {
    // A service without resources may lack internal/service/.
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  console.info(
    list(
      'Written:',
      files.map(([path]) => path),
    ),
  )
  console.info(`Try: make lint types unit e2e T=${names['user-profiles']}`)
}

function remove(names: Names): void {
  const paths = listFiles()
  const deps = { names, read }
  const { deleted, edited, migration, mentioning } = unmakeCalls(deps, paths) ?? unmakeResource(deps, paths)
  const kept = paths.filter((path) => !deleted.includes(path))
  const changed = new Map([...edited, ...dropDeadLinks(paths, kept, read)])
  for (const path of deleted) rmSync(path)
  for (const [path, text] of changed) writeFileSync(path, text)
  console.info(list('Deleted:', deleted))
  console.info(list('Edited:', changed.keys()))
  if (migration !== undefined)
    console.warn(`Warning: a database that has run the migration ${migration} keeps the table.
To drop it, add a contract migration: docs/resources.md.`)
  if (mentioning.length > 0)
    console.warn(`Warning: other migrations mention the table, which a new database lacks: ${mentioning.join(', ')}`)
}

const { NAME, PLURAL, FIELDS, PARENT } = process.env
try {
  const names = readNames({ NAME, PLURAL })
  if (process.argv[2] === 'remove') remove(names)
  else write(names, FIELDS, PARENT)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 64
}
