import { type Names, rename } from './names.ts'

/** The code that registers a resource in one file: the imports, and an entry in a list or an object. */
export interface Registration {
  readonly path: string
  readonly list: string
  readonly imports: readonly string[]
  readonly entry: string
}

export const REGISTRATIONS: readonly Registration[] = [
  {
    path: 'internal/resources.ts',
    list: 'RESOURCES',
    imports: [
      `import { userProfiles } from './handler/user-profiles.ts'`,
      `import { createUserProfiles } from './service/user-profiles.ts'`,
      `import { prepareUserProfilesStore } from './store/user-profiles.ts'`,
    ],
    entry: '({ connect }) => connect(prepareUserProfilesStore, createUserProfiles, userProfiles)',
  },
  {
    path: 'internal/store/migrations/index.ts',
    list: 'migrations',
    imports: [`import * as userProfiles from './{{migration}}.ts'`],
    entry: `'{{migration}}': userProfiles`,
  },
]

export function fillRegistrations(names: Names, migration: string): readonly Registration[] {
  const fill = (text: string) => rename(text, names).replace('{{migration}}', migration)
  return REGISTRATIONS.map(({ imports, entry, ...where }) => ({
    ...where,
    imports: imports.map(fill),
    entry: fill(entry),
  }))
}

/** Adds a registration to the text of its file, without formatting it. @throws when the file has no such list */
export function register(text: string, { path, list, imports, entry }: Registration): string {
  const declared = new RegExp(`^((?:export )?const ${list}: .* = [[{])(\\n(?:  .*\\n)+)?(?=[\\]}]$)`, 'm')
  if (!declared.test(text)) throw new Error(`${path} has no list ${list} that make resource can extend`)
  const extended = text.replace(declared, (_, opening, entries = '\n') => `${opening}${entries}${entry},\n`)
  // After the other imports: Git keeps the lines of two branches only where each branch adds one block.
  const end = [...extended.matchAll(/^(?:import .*|\}) from '.*'\n/gm)].at(-1)
  const at = end ? end.index + end[0].length : 0
  return `${extended.slice(0, at)}${imports.map((line) => `${line}\n`).join('')}${extended.slice(at)}`
}

/** Creates a pattern that matches code regardless of its line breaks. */
function createPattern(code: string): string {
  const tokens = code.match(/\w+|[^\w\s]/g) ?? []
  return tokens.map((token) => token.replace(/\W/, '\\$&')).join('(?:,?\\s+)?')
}

/** Removes a registration from the formatted text of its file. @throws when one of its lines has changed */
export function unregister(text: string, { path, list, imports, entry }: Registration): string {
  const rest = [...imports, `  ${entry},`].reduce((text, code) => {
    const indent = /^ */.exec(code)?.[0]
    const pattern = new RegExp(`^${indent}${createPattern(code)}\\n`, 'm')
    if (!pattern.test(text)) throw new Error(`${path} does not have the line that make resource wrote: ${code.trim()}`)
    return text.replace(pattern, '')
  }, text)
  return rest.replace(new RegExp(`(const ${list}: .* = [[{])\\n(?=[\\]}])`), '$1')
}
