import { runInNewContext, Script } from 'node:vm'

/** What is made of `NAME` and `PLURAL`: each way in which the templates spell `user-profile`, and what stands there instead. */
export type Names = Readonly<Record<string, string>>

const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/([^aeiou])y$/, '$1ies'],
  [/(s|x|z|ch|sh)$/, '$1es'],
  [/$/, 's'],
]

function pluralOf(name: string): string {
  const [ending, plural] = ENDINGS.find(([ending]) => ending.test(name)) ?? [/$/, 's']
  return name.replace(ending, plural)
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const pascal = (name: string) => name.split('-').map(capital).join('')

function namesOf(one: string, many: string): Names {
  return {
    UserProfiles: pascal(many),
    UserProfile: pascal(one),
    userProfiles: pascal(many).replace(/^./, (first) => first.toLowerCase()),
    user_profiles: many.replaceAll('-', '_'),
    'User profiles': capital(many.replaceAll('-', ' ')),
    'user profiles': many.replaceAll('-', ' '),
    'user profile': one.replaceAll('-', ' '),
    'user-profiles': many,
  }
}

export function rename(text: string, names: Names): string {
  return text.replaceAll(new RegExp(Object.keys(names).join('|'), 'g'), (spelling) => names[spelling] ?? spelling)
}

/** Never the singular: no variable has it, so `class` is as good as any. */
function isVariable(name: string): boolean {
  try {
    new Script(`'use strict'; async () => { let ${name} }`)
    return true
  } catch {
    return false
  }
}

const VALID_NAME = /^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/

/** PostgreSQL cuts a name at 63 bytes, and `_newest_first` follows it. */
const LONGEST = 50

function nameProblem(name: string): string | undefined {
  const got = `got ${JSON.stringify(name)},`
  if (!VALID_NAME.test(name)) return `${got} expected lower-case words with hyphens between, such as user-profile`
  if (name.length > LONGEST) return `${got} expected at most ${LONGEST} characters`
  if (name.startsWith('pg-')) return `${got} but tables named pg_… are PostgreSQL's own`
  // Of the language alone: an Event or a File of the platform does not mind another one.
  const isTaken: boolean = runInNewContext(`'${pascal(name)}' in globalThis`)
  return isTaken ? `${got} but JavaScript has a ${pascal(name)} of its own` : undefined
}

/** @returns the names, or what is wrong with them, one line each */
export function readNames({
  NAME: one = '',
  PLURAL: many = pluralOf(one),
}: Readonly<Record<string, string | undefined>>): { readonly names: Names } | { readonly problems: readonly string[] } {
  if (one === '') return { problems: ['NAME: is missing: make resource NAME=invoice FIELDS=number:string,total:int'] }
  const wrong = nameProblem(one)
  if (wrong !== undefined) return { problems: [`NAME: ${wrong}`] }
  const names = namesOf(one, many)
  const wrongPlural =
    nameProblem(many) ??
    (many === one ? 'must not be the same as NAME' : undefined) ??
    (isVariable(names['userProfiles'] ?? '') ? undefined : `got "${many}", which no variable can be called`)
  return wrongPlural === undefined ? { names } : { problems: [`PLURAL: ${wrongPlural}`] }
}
