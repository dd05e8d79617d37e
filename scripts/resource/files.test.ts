import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { expect, test } from '@jest/globals'
import { readFields } from './fields.ts'
import { makeResource } from './files.ts'
import { readNames } from './names.ts'

const RESOURCES = 'internal/resources.ts'
const MIGRATIONS = 'internal/store/migrations/index.ts'

/** Lists as they are when a service has a resource already. */
const LISTS: Readonly<Record<string, string>> = {
  [RESOURCES]: `const RESOURCES: readonly string[] = [\n  carts(),\n]\n`,
  [MIGRATIONS]: `export const migrations: object = {\n  '0009-carts': carts,\n}\n`,
}

function make({ name = 'order', fields = 'total:int', lists = LISTS } = {}) {
  const named = readNames({ NAME: name })
  const having = readFields(fields)
  if ('problems' in named || 'problems' in having) throw new Error('refused')
  const read = (path: string) => lists[path] ?? readFileSync(path, 'utf8')
  return makeResource({ names: named.names, fields: having.fields, read, migrations: ['0009-carts.ts', 'index.ts'] })
}

test('a resource comes after those that are there, and its migration after the last one', () => {
  const { written, edited } = make()
  expect([...written.keys()]).toContain('internal/store/migrations/0010-orders.ts')
  expect(edited.get(RESOURCES)).toMatch(/= \[\n {2}carts\(\),\n.*\n.*createOrders\(.*\n\]\n$/)
  expect(edited.get(MIGRATIONS)).toMatch(/'0009-carts': carts,\n'0010-orders': orders,\n\}\n$/)
})

test.each([
  [RESOURCES, 'RESOURCES'],
  [MIGRATIONS, 'migrations'],
])('without its list in %s there is no resource', (path, list) => {
  expect(() => make({ lists: { ...LISTS, [path]: '' } })).toThrow(`there is no list ${list} to add to`)
})

test.each([
  ['user', 'order:int,default:text?,class:string:unique,select:boolean?,fields:date,number:number?,on:uuid?:unique'],
  ['class', 'a:text'],
  ['user-profile', 'a:boolean?'],
])('the files of %s with the fields %s are TypeScript with nothing left to fill in', (name, fields) => {
  const { written, edited } = make({ name, fields })
  for (const [path, text] of [...written, ...edited]) {
    expect(() => stripTypeScriptTypes(text)).not.toThrow()
    expect({ path, open: /\{\{|\}\}\}/.exec(text)?.[0] }).toEqual({ path })
  }
})
