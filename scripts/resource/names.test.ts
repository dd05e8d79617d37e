import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { findCollisions } from './files.ts'
import { readNames } from './names.ts'

test.each([
  ['invoice', 'invoices'],
  ['class', 'classes'],
  ['box', 'boxes'],
  ['branch', 'branches'],
  ['user-category', 'user-categories'],
  ['key', 'keys'],
  ['address', 'addresses'],
  ['status', 'statuses'],
  ['analysis', 'analysises'],
  ['alias', 'aliases'],
  ['new', 'news'],
])('the plural of %s is %s', (NAME, many) => {
  expect(readNames({ NAME })).toMatchObject({ 'user-profiles': many })
})

test('PLURAL gives an irregular plural', () => {
  expect(readNames({ NAME: 'office-child', PLURAL: 'office-children' })).toEqual({
    UserProfiles: 'OfficeChildren',
    UserProfile: 'OfficeChild',
    userProfiles: 'officeChildren',
    user_profiles: 'office_children',
    'User profiles': 'Office children',
    'user profiles': 'office children',
    'user profile': 'office child',
    'user-profiles': 'office-children',
    'user-profile': 'office-child',
  })
})

test('the plural may equal the singular', () => {
  expect(readNames({ NAME: 'sheep', PLURAL: 'sheep' })).toMatchObject({
    UserProfiles: 'AllSheep',
    UserProfile: 'Sheep',
    userProfiles: 'sheep',
    'user-profiles': 'sheep',
  })
  expect(taken({ NAME: 'sheep', PLURAL: 'sheep' })).toEqual([])
})

test.each([
  ['', undefined, 'NAME: is missing'],
  ...['Order', '../x', 'a/b', 'a_b', 'a b', '-a', 'a-', 'a--b', '2fast', 'a-2', 'ä', 'a\n', "a'b"].map(
    (name) => [name, undefined, 'NAME: got'] as const,
  ),
  ['a'.repeat(51), undefined, 'at most 50'],
  ['a'.repeat(50), undefined, 'PLURAL: got'],
  [
    'invoices',
    undefined,
    'NAME: got "invoices", expected the singular (if it is the singular, give PLURAL=invoiceses too)',
  ],
  ['user-keys', undefined, 'expected the singular'],
  ['pg-table', undefined, 'PostgreSQL reserves'],
  ['promise', undefined, 'JavaScript has a global Promise'],
  ['mapping', 'map', 'JavaScript has a global Map'],
  ['x', '../x', 'PLURAL: got'],
  ['x', '', 'PLURAL: got'],
  ['x', 'class', 'not a valid name of a variable'],
  ['x', 'let', 'not a valid name of a variable'],
  ['x', 'await', 'not a valid name of a variable'],
])('the name %j with the plural %j is refused', (NAME, PLURAL, why) => {
  const given = PLURAL === undefined ? { NAME } : { NAME, PLURAL }
  expect(() => readNames(given)).toThrow(why)
})

/** The templates, and the lists of a service without a resource. */
const LISTS: Readonly<Record<string, string>> = {
  'internal/resources.ts': 'export function resources(): void {}',
  'internal/store/migrations/index.ts': 'export const migrations: object = {}',
}
const read = (path: string) => LISTS[path] ?? readFileSync(path, 'utf8')

const taken = (given: Record<string, string>) => findCollisions({ names: readNames(given), read })

test.each([
  [{ NAME: 'page' }, ['Page']],
  [{ NAME: 'route' }, ['Route']],
  [{ NAME: 'field' }, ['fields']],
  [{ NAME: 'resource' }, ['resources']],
  [{ NAME: 'migration' }, ['migrations']],
  [{ NAME: 'x', PLURAL: 'idempotency' }, ['Idempotency', 'idempotency']],
])('%j collides with %j', (given, expected) => {
  expect(taken(given)).toEqual(expected)
})

test.each(['order', 'user', 'group', 'item', 'table', 'class', 'tag', 'list', 'event', 'file', 'new'])(
  '%s is a valid name',
  (NAME) => {
    expect(taken({ NAME })).toEqual([])
  },
)
