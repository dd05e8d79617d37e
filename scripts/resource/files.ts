import type { Field } from './fields.ts'
import { type Names, rename } from './names.ts'
import { valuesOf } from './values.ts'

/** Texts by path. */
export type Files = ReadonlyMap<string, string>

const TEMPLATES = 'scripts/resource/templates'

/** Where each of them goes. */
const PATHS: Readonly<Record<string, string>> = {
  'handler.txt': 'internal/handler/user-profiles.ts',
  'handler.test.txt': 'internal/handler/user-profiles.test.ts',
  'service.txt': 'internal/service/user-profiles.ts',
  'service.test.txt': 'internal/service/user-profiles.test.ts',
  'store.txt': 'internal/store/user-profiles.ts',
  'migration.txt': 'internal/store/migrations/{{number}}-user-profiles.ts',
  'end-to-end.txt': 'test/user-profiles.test.ts',
}

/** Where it is named, for the service and for the database. */
const RESOURCES = 'internal/resources.ts'
const MIGRATIONS = 'internal/store/migrations/index.ts'

/** Lines between `{{if x}}` and `{{end}}` are left out where x is empty. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  const value = (name: string) => {
    const text = values[name]
    if (text === undefined) throw new Error(`nothing is called ${name}`)
    return text
  }
  return template
    .replaceAll(/^\{\{if (.+)\}\}\n([\s\S]*?)^\{\{end\}\}\n/gm, (_, name, lines) => (value(name) === '' ? '' : lines))
    .replaceAll(/\{\{(.+?)\}\}/g, (_, name) => value(name))
}

/**
 * Adds an entry to the list, or the object, that is declared as `const name`.
 *
 * @throws when there is none of this form
 */
function append(text: string, name: string, entry: string): string {
  const declared = new RegExp(`^((?:export )?const ${name}: .* = [[{])(\\n(?:  .*\\n)+)?(?=[\\]}]$)`, 'm')
  if (!declared.test(text)) throw new Error(`there is no list ${name} to add to, as make resource knows it`)
  return text.replace(declared, (_, opening, entries = '\n') => `${opening}${entries}${entry},\n`)
}

const RESOURCE_IMPORTS = `import { userProfiles } from './handler/user-profiles.ts'
import { createUserProfiles } from './service/user-profiles.ts'
import { createUserProfilesStore } from './store/user-profiles.ts'
`
const RESOURCE = `({ db, cache, idempotency }) =>
  userProfiles({ userProfiles: createUserProfiles({ store: createUserProfilesStore(db), cache: cache('user-profiles') }), idempotency })`

function nextNumber(files: readonly string[]): string {
  const numbers = files.map((file) => Number.parseInt(file, 10)).filter(Number.isInteger)
  return String(Math.max(0, ...numbers) + 1).padStart(4, '0')
}

export interface Resource {
  /** The files that are new. */
  readonly written: Files
  /** The files that are there and name it. */
  readonly edited: Files
}

export interface ResourceDeps {
  readonly names: Names
  readonly fields: readonly Field[]
  /** A file of this project. */
  readonly read: (path: string) => string
  /** The names of the migrations that there are. */
  readonly migrations: readonly string[]
}

/** All of a resource, not formatted. @throws when there is nowhere to name it */
export function makeResource({ names, fields, read, migrations }: ResourceDeps): Resource {
  const renamed = (text: string) => rename(text, names)
  const number = nextNumber(migrations)
  const values = { ...valuesOf(fields), number }
  const make = (text: string) => fill(renamed(text), values)
  const importMigration = make(`import * as userProfiles from './{{number}}-user-profiles.ts'\n`)
  const migration = make(`'{{number}}-user-profiles': userProfiles`)
  return {
    written: new Map(
      Object.entries(PATHS).map(([template, path]) => [make(path), make(read(`${TEMPLATES}/${template}`))]),
    ),
    edited: new Map([
      [RESOURCES, renamed(RESOURCE_IMPORTS) + append(read(RESOURCES), 'RESOURCES', renamed(RESOURCE))],
      [MIGRATIONS, importMigration + append(read(MIGRATIONS), 'migrations', migration)],
    ]),
  }
}

/** Of code, without its comments, texts and properties. */
function identifiersOf(text: string): readonly string[] {
  const code = text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\/|'[^'\n]*'|\{\{.*?\}\}/g, '')
  return code.match(/(?<=\b(?:const|let) )\w+|(?<![.\w])[A-Za-z]\w*(?!\w|\??:)/g) ?? []
}

/** What would be declared by a name that something else has in the same file. */
export function collisions({ names, read }: Pick<ResourceDeps, 'names' | 'read'>): readonly string[] {
  const code = Object.keys(PATHS).filter((template) => template !== 'migration.txt')
  const texts = [
    ...code.map((template) => read(`${TEMPLATES}/${template}`)),
    RESOURCE_IMPORTS + read(RESOURCES),
    `import * as userProfiles from './'\n${read(MIGRATIONS)}`,
  ]
  const colliding = texts.flatMap((text) => {
    const identifiers = identifiersOf(text)
    const own = identifiers.map((identifier) => rename(identifier, names))
    return own.filter((name, index) => name !== identifiers[index] && identifiers.includes(name))
  })
  return [...new Set(colliding)]
}
