import { expect, test } from '@jest/globals'
import { CamelCasePlugin } from 'kysely'
import { readFields } from './fields.ts'
import { valuesOf } from './values.ts'

const namesOf = (text: string) => {
  const read = readFields(text)
  return 'fields' in read ? read.fields.map(({ name }) => name) : read.problems
}

test('a field has a name, a type, and may be null or unique', () => {
  const read = readFields('number:string:unique,note:text?,code:int?:unique')
  expect(read).toMatchObject({
    fields: [
      { name: 'number', isNullable: false, isUnique: true },
      { name: 'note', isNullable: true, isUnique: false },
      { name: 'code', isNullable: true, isUnique: true },
    ],
  })
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
  ['id:uuid', 'every resource'],
  ['version:int', 'every resource'],
  ['createdAt:timestamp', 'every resource'],
  ['ctid:int', 'every table'],
  ['constructor:string', 'every object'],
  ['__proto__:string', 'every object'],
  ['then:string', 'promise'],
  ['text:text:unique', 'cannot be unique'],
  ['done:boolean:unique', 'cannot be unique'],
])('the fields %j are refused', (text, why) => {
  expect(readFields(text)).toEqual({ problems: [expect.stringContaining(why)] })
})

test('all that is wrong is said at once', () => {
  expect(readFields('id:uuid,total:float,total:int,total:int')).toMatchObject({ problems: { length: 3 } })
})

test('words that SQL and TypeScript keep for themselves are fields like any other', () => {
  const hard = ['order', 'default', 'class', 'user', 'select', 'fields', 'number', 'line2', 'dueAt', 'aB1', 'x1Y2z']
  expect(namesOf(hard.map((name) => `${name}:string`).join(','))).toEqual(hard)
})

test('a column is the field again when the database layer has read it', () => {
  const plugin = new (class extends CamelCasePlugin {
    roundTrip = (name: string) => [this.snakeCase(name), this.camelCase(this.snakeCase(name))]
  })()
  for (const name of ['order', 'line2', 'dueAt', 'aBc', 'x1Y2z', 'aB1Cd']) {
    const read = readFields(`${name}:int`)
    const columns = 'fields' in read ? valuesOf(read.fields)['columns'] : undefined
    const [column, field] = plugin.roundTrip(name)
    expect([field, columns]).toEqual([name, `"${column}" integer not null`])
  }
})
