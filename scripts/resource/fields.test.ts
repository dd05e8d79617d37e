import { expect, test } from '@jest/globals'
import { CamelCasePlugin } from 'kysely'
import { readFields } from './fields.ts'
import { templateValues } from './values.ts'

const readNames = (text: string) => readFields(text).map(({ name }) => name)

test('a field has a name and a type, and may be nullable or unique', () => {
  expect(readFields('number:string:unique,note:text?,code:int?:unique')).toMatchObject([
    { name: 'number', isNullable: false, isUnique: true },
    { name: 'note', isNullable: true, isUnique: false },
    { name: 'code', isNullable: true, isUnique: true },
  ])
})

test.each([
  [undefined, 'is missing'],
  ['', 'is missing'],
  ['total', 'expected name:type'],
  ['total:', 'expected name:type'],
  ['total:int:', 'expected name:type'],
  ['total:int!', 'expected name:type'],
  ['total:int:unique?', 'expected name:type'],
  ['total:int,', 'expected name:type'],
  ['total: int', 'expected name:type'],
  ['total:int\n', 'expected name:type'],
  ['total:bigint', 'expected one of the types string, text, int, '],
  ['total:toString', 'expected one of the types'],
  ['total:int,total:string', '"total" twice'],
  [':int', 'expected at most 50'],
  ['Total:int', 'expected at most 50'],
  ['due_at:date', 'expected at most 50'],
  ['userID:uuid', 'expected at most 50'],
  ['2nd:int', 'expected at most 50'],
  ['a"b:int', 'expected at most 50'],
  [`${'a'.repeat(51)}:int`, 'expected at most 50'],
  ['id:uuid', 'field of every resource'],
  ['version:int', 'field of every resource'],
  ['createdAt:timestamp', 'field of every resource'],
  ['ctid:int', 'column of every table'],
  ['constructor:string', 'property of every object'],
  ['__proto__:string', 'property of every object'],
  ['then:string', 'promise'],
  ['text:text:unique', 'cannot be unique'],
  ['done:boolean:unique', 'cannot be unique'],
])('the fields %j are refused', (text, why) => {
  expect(() => readFields(text)).toThrow(new RegExp(`^FIELDS: [^]*${why}`))
})

test('all problems of the fields are reported together', () => {
  expect(() => readFields('id:uuid,total:float,total:int,total:int')).toThrow(/^(FIELDS: .*\n?){3}$/)
})

test('reserved words of SQL and TypeScript are valid fields', () => {
  const hard = ['order', 'default', 'class', 'user', 'select', 'fields', 'number', 'line2', 'dueAt', 'aB1', 'x1Y2z']
  expect(readNames(hard.map((name) => `${name}:string`).join(','))).toEqual(hard)
})

test('the database layer turns a column back into its field', () => {
  const plugin = new (class extends CamelCasePlugin {
    roundTrip = (name: string) => [this.snakeCase(name), this.camelCase(this.snakeCase(name))]
  })()
  for (const name of ['order', 'line2', 'dueAt', 'aBc', 'x1Y2z', 'aB1Cd']) {
    const { columns } = templateValues(readFields(`${name}:int`))
    const [column, field] = plugin.roundTrip(name)
    expect([field, columns]).toEqual([name, `"${column}" integer not null`])
  }
})
