import { timestamp } from '../migrations/timestamp.ts'
import { describeMissing, listExisting, listMentioning, listReferring } from './existing.ts'
import type { Field } from './fields.ts'
import { type Names, rename } from './names.ts'
import { fillRegistrations, REGISTRATIONS, register, unregister } from './registration.ts'
import { createTemplateValues } from './values.ts'

/** Texts by path. */
export type Files = ReadonlyMap<string, string>

const TEMPLATES = 'scripts/resource/templates'

/** The path of the file that each template becomes. */
const PATHS: Readonly<Record<string, string>> = {
  'handler.txt': 'internal/handler/user-profiles.ts',
  'handler.test.txt': 'internal/handler/user-profiles.test.ts',
  'service.txt': 'internal/service/user-profiles.ts',
  'service.test.txt': 'internal/service/user-profiles.test.ts',
  'store.txt': 'internal/store/user-profiles.ts',
  'migration.txt': 'internal/store/migrations/{{migration}}.ts',
  'end-to-end.txt': 'test/user-profiles.test.ts',
  'new.txt': 'test/user-profiles/new-user-profile.ts',
}

/** Fills a template. Drops the lines between `{{if x}}` and `{{end}}` when x is empty. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  const value = (name: string) => {
    const text = values[name]
    if (text === undefined) throw new Error(`the template has an unknown value ${name}`)
    return text
  }
  return template
    .replaceAll(/^\{\{if (.+)\}\}\n([\s\S]*?)^\{\{end\}\}\n/gm, (_, name, lines) => (value(name) === '' ? '' : lines))
    .replaceAll(/\{\{(.+?)\}\}/g, (_, name) => value(name))
}

export interface Resource {
  /** The new files. */
  readonly written: Files
  /** The files that register the resource. */
  readonly edited: Files
}

export interface ResourceDeps {
  readonly names: Names
  readonly fields: readonly Field[]
  /** The parent, whose paths include a list of this resource. One of the fields refers to the parent. */
  readonly parent?: Names | undefined
  /** Reads a file of this project. */
  readonly read: (path: string) => string
  /** Names of the existing migrations. */
  readonly migrations: readonly string[]
  readonly now: Date
}

/** Makes the files of a resource, unformatted. @throws when a file has no list for its registration */
export function makeResource({ names, fields, parent, read, migrations, now }: ResourceDeps): Resource {
  const migration = rename(`${timestamp(now, migrations)}-user-profiles`, names)
  const values = { ...createTemplateValues(fields, names, parent), migration }
  const make = (text: string) => fill(rename(text, names), values)
  return {
    written: new Map(
      Object.entries(PATHS).map(([template, path]) => [make(path), make(read(`${TEMPLATES}/${template}`))]),
    ),
    edited: new Map(
      fillRegistrations(names, migration).map((registration) => [
        registration.path,
        register(read(registration.path), registration),
      ]),
    ),
  }
}

export interface Removal {
  readonly deleted: readonly string[]
  /** The files that registered the resource. */
  readonly edited: Files
  /** The migration that made the table. Undefined for operations without a table. */
  readonly migration?: string
  /** Other migrations that mention the table. They fail on a new database, which does not have the table. */
  readonly mentioning: readonly string[]
}

/**
 * Undoes `makeResource`. Also deletes the other files of the resource: `notes.test.ts` in any folder of
 * `test/`, `test/notes/`, files of `load/` such as `notes.test.ts`, `notes.json` and `notes-slow.json`, and the seeds
 * `notes.sql`.
 *
 * @param paths the files of this project
 * @throws when a file or a registration is not as `makeResource` left it, or when another resource refers to this one
 */
export function unmakeResource(
  { names, read }: Pick<ResourceDeps, 'names' | 'read'>,
  paths: readonly string[],
): Removal {
  const plural = rename('user-profiles', names)
  const referring = listReferring(names, paths, read)
  if (referring.length > 0) {
    const list = referring.map(({ table, migration }) => `${table} (migration ${migration})`).join(', ')
    throw new Error(`NAME: other resources refer to ${plural}, remove them first: ${list}`)
  }
  const ownMigration = new RegExp(`^internal/store/migrations/(\\d+-${plural})\\.ts$`)
  const [migration, ...others] = paths.flatMap((path) => ownMigration.exec(path)?.[1] ?? [])
  if (migration === undefined && !paths.includes(`internal/store/${plural}.ts`))
    throw new Error(`NAME: ${describeMissing(rename('user-profile', names), listExisting(paths))}`)
  if (migration === undefined) throw new Error(`there is no migration …-${plural}.ts that make resource wrote`)
  if (others.length > 0)
    throw new Error(`there are several migrations of ${plural}: ${[migration, ...others].join(', ')}`)
  const made = Object.values(PATHS).map((path) => fill(rename(path, names), { migration }))
  const ownTest = new RegExp(
    `^(test/(${plural}/.*|(.*/)?${plural}\\.test\\.ts)|bench/${plural}/.*|load/(.+/)?${plural}(-[a-z-]+)?(\\.test\\.ts|\\.json|\\.sql)|internal/store/seeds/${plural}\\.sql)$`,
  )
  // Tests may be missing, because a team may have deleted them.
  const missing = made.filter((path) => !paths.includes(path) && !ownTest.test(path))
  if (missing.length > 0) throw new Error(`make resource wrote files that do not exist: ${missing.join(', ')}`)
  const registered = fillRegistrations(names, migration)
  const deleted = paths.filter((path) => made.includes(path) || ownTest.test(path))
  const kept = paths.filter((path) => !deleted.includes(path))
  return {
    deleted,
    mentioning: listMentioning(names, kept, read),
    edited: new Map(
      registered.map((registration) => [registration.path, unregister(read(registration.path), registration)]),
    ),
    migration,
  }
}

/** Finds identifiers in code, except in comments, strings and properties. */
function findIdentifiers(text: string): readonly string[] {
  const code = text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\/|'[^'\n]*'|\{\{.*?\}\}/g, '')
  return code.match(/(?<=\b(?:const|let) )\w+|(?<![.\w])[A-Za-z]\w*(?!\w|\??:)/g) ?? []
}

/** Finds the names of a resource that another declaration in the same file already has. */
export function findCollisions({ names, read }: Pick<ResourceDeps, 'names' | 'read'>): readonly string[] {
  const code = Object.keys(PATHS).filter((template) => template !== 'migration.txt')
  const texts = [
    ...code.map((template) => read(`${TEMPLATES}/${template}`)),
    ...REGISTRATIONS.map(({ path, imports }) => [...imports, read(path)].join('\n')),
  ]
  const colliding = texts.flatMap((text) => {
    const identifiers = findIdentifiers(text)
    const own = identifiers.map((identifier) => rename(identifier, names))
    return own.filter((name, index) => name !== identifiers[index] && identifiers.includes(name))
  })
  return [...new Set(colliding)]
}
