import { runInNewContext, Script } from 'node:vm'

/** Every spelling of `user-profile` in the templates, with the spelling that replaces it. */
export type Names = Readonly<Record<string, string>>

const pluralize = (name: string) => `${name.replace(/([^aeiou])y$/, '$1ie').replace(/(s|x|z|ch|sh)$/, '$1e')}s`

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const pascal = (name: string) => name.split('-').map(capital).join('')

function spell(one: string, many: string): Names {
  return {
    // The types of one sheep and of all sheep need different names.
    UserProfiles: one === many ? `All${pascal(many)}` : pascal(many),
    UserProfile: pascal(one),
    userProfiles: pascal(many).replace(/^./, (first) => first.toLowerCase()),
    user_profiles: many.replaceAll('-', '_'),
    'User profiles': capital(many.replaceAll('-', ' ')),
    'user profiles': many.replaceAll('-', ' '),
    'user profile': one.replaceAll('-', ' '),
    'user-profiles': many,
    'user-profile': one,
  }
}

export function rename(text: string, names: Names): string {
  return text.replaceAll(new RegExp(Object.keys(names).join('|'), 'g'), (spelling) => names[spelling] ?? spelling)
}

/** Tells whether a variable may have this name. A reserved word such as `class` is refused. */
export function isVariable(name: string): boolean {
  try {
    new Script(`'use strict'; async () => { let ${name} }`)
    return true
  } catch {
    return false
  }
}

/** Matches `invoices` and `news`, but not `address`, `status` and `analysis`. */
const LOOKS_PLURAL = /[^aius]s$/

const VALID_NAME = /^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/

/** PostgreSQL cuts the name of an index at 63 bytes, and the templates append `_newest_first`. */
const MAX_LENGTH = 50

function findNameProblem(name: string): string | undefined {
  if (!VALID_NAME.test(name)) return 'expected lower-case words separated by hyphens, such as user-profile'
  if (name.length > MAX_LENGTH) return `expected at most ${MAX_LENGTH} characters`
  if (name.startsWith('pg-')) return 'but PostgreSQL reserves tables named pg_…'
  // The context is empty, so names of the platform, such as Event and File, are accepted.
  const isTaken: boolean = runInNewContext(`'${pascal(name)}' in globalThis`)
  return isTaken ? `but JavaScript has a global ${pascal(name)}` : undefined
}

/** @throws with the reason to refuse `NAME` or `PLURAL` */
export function readNames({ NAME: one = '', PLURAL }: Readonly<Record<string, string | undefined>>): Names {
  const many = PLURAL ?? pluralize(one)
  if (one === '') throw new Error('NAME: is missing, expected a name such as NAME=invoice')
  if (PLURAL === undefined && LOOKS_PLURAL.test(one)) {
    throw new Error(`NAME: got "${one}", expected the singular (if it is the singular, give PLURAL=${many} too)`)
  }
  const refuse = (variable: string, value: string, problem: string | undefined) => {
    if (problem !== undefined) throw new Error(`${variable}: got ${JSON.stringify(value)}, ${problem}`)
  }
  refuse('NAME', one, findNameProblem(one))
  refuse('PLURAL', many, findNameProblem(many))
  const names = spell(one, many)
  // Only the plural becomes a variable, so the singular may be a reserved word such as `class`.
  refuse(
    'PLURAL',
    many,
    isVariable(names['userProfiles'] ?? '') ? undefined : 'which is not a valid name of a variable',
  )
  return names
}
