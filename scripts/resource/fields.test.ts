import { expect, test } from '@jest/globals'
import { CamelCasePlugin } from 'kysely'
import { readFields } from './fields.ts'
import { readNames } from './names.ts'
import { createTemplateValues } from './values.ts'

const readFieldNames = (text: string) => readFields(text).map(({ name }) => name)
const names = (NAME: string) => readNames({ NAME })
const RESOURCES = [names('customer'), names('user-profile')]

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
  [
    'total:float',
    'expected one of the types string, text, int, bigint, .*enum\\(a\\|b\\), decimal\\(12,2\\), references',
  ],
  ['total:int(4)', 'expected one of the types'],
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
  ['versions:int', 'parameter of every update'],
  ['text:text:unique', 'cannot be unique'],
  ['done:boolean:unique', 'cannot be unique'],
  ['data:json:unique', 'cannot be unique'],
  ['state:enum(a|b):unique', 'cannot be unique: there are only a few values'],
  ['text:text:sort', 'cannot sort a list: a value may be longer'],
  ['data:json:sort', 'cannot sort a list'],
  ['state:enum(a|b):sort', 'cannot sort a list: filter the list by it'],
  ['total:int?:sort', 'cannot sort a list: it may be null'],
  ['total:int:sort:unique', 'expected name:type'],
  ['state:enum', 'expected values .* such as enum'],
  ['state:enum()', 'expected values .* such as enum'],
  ['state:enum(a|)', 'expected values .* such as enum'],
  ['state:enum(a,b)', 'expected values .* such as enum'],
  [`state:enum(a|it's)`, 'expected values .* such as enum'],
  ['state:enum(a|b|a)', 'has a value twice'],
  ['total:decimal', 'expected the number of digits'],
  ['total:decimal(12)', 'expected the number of digits'],
  ['total:decimal(2,3)', 'expected the number of digits'],
  ['total:decimal(39,2)', 'expected the number of digits'],
  ['owner:references', 'there is no resource "", expected one of customer, user-profile'],
  ['owner:references(customers)', 'there is no resource "customers"'],
  ['owner:references(order)', 'there is no resource "order"'],
  ['owner:references(customer):sort', 'cannot sort a list'],
  ['limit:boolean', 'parameter of every list'],
  ['sort:enum(a|b)', 'parameter of every list'],
  ['cursor:references(customer)', 'parameter of every list'],
])('the fields %j are refused', (text, why) => {
  expect(() => readFields(text, RESOURCES)).toThrow(new RegExp(`^FIELDS: [^]*${why}`))
})

test('without resources, the message about an unknown resource lists none', () => {
  expect(() => readFields('owner:references(customer)')).toThrow(/there is no resource "customer"$/)
})

test('a list can be sorted by fields with unique or sort, unless they may be null or have no order', () => {
  const fields = readFields('a:string:unique,b:int:sort,c:decimal(12,2):sort,d:int?:unique,e:uuid:unique,f:int')
  expect(fields.filter(({ isSort }) => isSort).map(({ name }) => name)).toEqual(['a', 'b', 'c'])
})

test('each sort and each filter has an index, and a unique column needs no further index', () => {
  const text =
    'a:string:unique,b:int:sort,c:enum(x|y),d:references(customer),e:references(user-profile):unique,dueOn:date?,f:boolean'
  expect(createTemplateValues(readFields(text, RESOURCES), names('order'))['indexes']?.split('\n')).toEqual([
    'create index on "orders" ("b", id);',
    'create index on "orders" ("c", created_at desc, id desc);',
    'create index on "orders" ("d", created_at desc, id desc);',
    'create index on "orders" ("f", created_at desc, id desc);',
  ])
})

test('the column of an enum lists its values, and the column of a reference names the table of the resource', () => {
  const text = 'state:enum(open|on-hold)?,total:decimal(12, 2),sentBy:references(user-profile)'
  expect(createTemplateValues(readFields(text, RESOURCES), names('order'))['columns']?.split('\n')).toEqual([
    `"state" varchar(50) check ("state" in ('open', 'on-hold')),`,
    '  "total" numeric(12, 2) not null,',
    '  "sent_by" uuid not null references "user_profiles" on delete restrict',
  ])
})

test('all problems of the fields are reported together', () => {
  expect(() => readFields('id:uuid,total:float,total:int,total:int')).toThrow(/^(FIELDS: .*\n?){3}$/)
})

test('reserved words of SQL and TypeScript are valid fields', () => {
  const hard = ['order', 'default', 'class', 'user', 'select', 'fields', 'number', 'line2', 'dueAt', 'aB1', 'x1Y2z']
  expect(readFieldNames(hard.map((name) => `${name}:string`).join(','))).toEqual(hard)
})

test('the database layer converts the name of a column back to the name of its field', () => {
  const plugin = new (class extends CamelCasePlugin {
    roundTrip = (name: string) => [this.snakeCase(name), this.camelCase(this.snakeCase(name))]
  })()
  for (const name of ['order', 'line2', 'dueAt', 'aBc', 'x1Y2z', 'aB1Cd']) {
    const { columns } = createTemplateValues(readFields(`${name}:int`), names('thing'))
    const [column, field] = plugin.roundTrip(name)
    expect([field, columns]).toEqual([name, `"${column}" integer not null`])
  }
})
