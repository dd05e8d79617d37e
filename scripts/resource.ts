/*
 * node scripts/resource.ts, with NAME=invoice, FIELDS=number:string:unique,total:int and, where wanted, PLURAL=invoices
 *
 * Writes a resource as docs/resources.md describes it. All of it is made and formatted before anything is written.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { readFields } from './resource/fields.ts'
import { collisions, makeResource, type Resource } from './resource/files.ts'
import { format } from './resource/format.ts'
import { readNames } from './resource/names.ts'

process.chdir(dirname(import.meta.dirname))

const read = (path: string) => readFileSync(path, 'utf8')

function refuse(problems: readonly string[]): number {
  for (const problem of problems) console.error(problem)
  return 64
}

function resource(given: Readonly<Record<string, string | undefined>>): number {
  const named = readNames(given)
  const having = readFields(given['FIELDS'])
  if ('problems' in named || 'problems' in having) {
    return refuse([named, having].flatMap((read) => ('problems' in read ? read.problems : [])))
  }
  const migrations = readdirSync('internal/store/migrations')
  let made: Resource
  try {
    made = makeResource({ names: named.names, fields: having.fields, read, migrations })
  } catch (error) {
    return refuse([(error as Error).message])
  }
  const { written, edited } = made
  const present = [...written.keys()].filter((path) => existsSync(path))
  const taken = present.length > 0 ? [] : collisions({ names: named.names, read })
  const problems = [
    ...present.map((path) => `NAME: ${path} is there already`),
    ...taken.map((name) => `NAME: the code would have two things called ${name}`),
  ]
  if (problems.length > 0) return refuse(problems)

  const files = [...written, ...edited].map(([path, text]) => [path, format(path, text)] as const)
  for (const [path, text] of files) {
    // A service without the example may have no folder for rules yet.
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  console.info(['Written:', ...files.map(([path]) => `  ${path}`), 'Try: make lint types unit e2e'].join('\n'))
  return 0
}

process.exitCode = resource(process.env)
