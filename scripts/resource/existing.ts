import { basename } from 'node:path'
import { type Names, readNames } from './names.ts'

/** Lists the resources that another resource can refer to: those with the files that `make resource` writes. */
export const listExisting = (paths: readonly string[]): readonly Names[] =>
  paths.flatMap((path) => {
    const [, PLURAL, NAME] = /^test\/([a-z0-9-]+)\/new-([a-z0-9-]+)\.ts$/.exec(path) ?? []
    return paths.includes(`internal/handler/${PLURAL}.ts`) ? [readNames({ NAME, PLURAL })] : []
  })

/** Finds the resource of `PARENT` by its singular. @throws when no resource has this name */
export function findParent(name = '', existing: readonly Names[] = []): Names | undefined {
  const parent = existing.find((names) => names['user-profile'] === name)
  if (name === '' || parent) return parent
  throw new Error(`PARENT: ${describeMissing(name, existing)}`)
}

/** Returns the problem of an unknown resource, which lists the known resources. */
export function describeMissing(name: string, existing: readonly Names[]): string {
  const known = existing.map((names) => names['user-profile']).join(', ')
  return `there is no resource ${JSON.stringify(name)}${known === '' ? '' : `, expected one of ${known}`}`
}

const MIGRATION = /^internal\/store\/migrations\/\d.*\.ts$/

/** Finds the migrations that mention the table of a resource. */
export function listMentioning(
  names: Names,
  paths: readonly string[],
  read: (path: string) => string,
): readonly string[] {
  const table = new RegExp(`\\b${names['user_profiles'] ?? ''}\\b`, 'i')
  return paths.filter((path) => MIGRATION.test(path) && table.test(read(path))).map((path) => basename(path, '.ts'))
}

/** Finds the tables of other resources that refer to a resource, each with its migration. */
export function listReferring(
  names: Names,
  paths: readonly string[],
  read: (path: string) => string,
): readonly { readonly table: string; readonly migration: string }[] {
  const table = names['user_profiles'] ?? ''
  const reference = new RegExp(`\\breferences\\s+"?${table}"?(?![\\w"])`, 'i')
  return paths
    .filter((path) => MIGRATION.test(path))
    .flatMap((path) => {
      const statements = read(path).split(/(?=\b(?:create|alter)\s+table\b)/i)
      return statements.flatMap((statement) => {
        const [, referring = ''] =
          /^(?:create|alter)\s+table\s+(?:if (?:not )?exists\s+)?"?(\w+)/i.exec(statement) ?? []
        const isResource = paths.includes(`internal/store/${referring.replaceAll('_', '-')}.ts`)
        const refers = referring !== table && isResource && reference.test(statement)
        return refers ? [{ table: referring, migration: basename(path, '.ts') }] : []
      })
    })
}
