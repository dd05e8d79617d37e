import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { describe, expect, test } from '@jest/globals'
import { readFields } from './fields.ts'
import { makeResource, unmakeResource } from './files.ts'
import { format } from './format.ts'
import { type Names, readNames } from './names.ts'

const RESOURCES = 'internal/resources.ts'
const MIGRATIONS = 'internal/store/migrations/index.ts'

/** The registration lists of a service that already has a resource. */
const LISTS: Readonly<Record<string, string>> = {
  [RESOURCES]: `const RESOURCES: readonly string[] = [\n  carts(),\n]\n`,
  [MIGRATIONS]: `export const migrations: object = {\n  '20261122204602-carts': carts,\n}\n`,
}

const CUSTOMER = readNames({ NAME: 'customer' })

interface Choices {
  readonly name?: string
  readonly fields?: string
  readonly lists?: Readonly<Record<string, string>>
  readonly parent?: Names
}

function make({ name = 'order', fields = 'total:int', lists = LISTS, parent }: Choices = {}) {
  const read = (path: string) => lists[path] ?? readFileSync(path, 'utf8')
  return makeResource({
    names: readNames({ NAME: name }),
    fields: readFields(fields, [CUSTOMER]),
    parent,
    read,
    migrations: [],
    now: new Date('2026-11-23T07:08:09.999Z'),
  })
}

test('a resource is registered after the existing resources, and its migration after the last migration', () => {
  const { written, edited } = make()
  expect([...written.keys()]).toContain('internal/store/migrations/20261123070809-orders.ts')
  expect(edited.get(RESOURCES)).toMatch(/= \[\n {2}carts\(\),\n.*connect\(.*createOrders, orders\),\n\]\n$/)
  expect(edited.get(MIGRATIONS)).toMatch(/'20261122204602-carts': carts,\n'20261123070809-orders': orders,\n\}\n$/)
})

test.each([
  [RESOURCES, 'RESOURCES'],
  [MIGRATIONS, 'migrations'],
])('a resource is refused where %s has no list to register it in', (path, list) => {
  expect(() => make({ lists: { ...LISTS, [path]: '' } })).toThrow(`${path} has no list ${list}`)
})

test.each([
  ['user', 'order:int,default:text?,class:string:unique,select:boolean?,fields:date,number:number?,on:uuid?:unique'],
  ['class', 'a:text'],
  ['order', 'a:enum(x|y)?,b:decimal(12,2):sort,c:bigint:unique,d:json,e:references(customer),f:references(customer)?'],
  ['user-profile', 'a:boolean?'],
])('the files of %s with the fields %s are TypeScript with nothing left to fill in', (name, fields) => {
  const { written, edited } = make({ name, fields })
  for (const [path, text] of [...written, ...edited]) {
    expect(() => stripTypeScriptTypes(text)).not.toThrow()
    expect({ path, open: /\{\{|\}\}\}/.exec(text)?.[0] }).toEqual({ path })
  }
})

test('a resource with a parent has its list under the parent, and TypeScript with nothing left to fill in', () => {
  const { written } = make({ fields: 'customer:references(customer),total:int,isGift:boolean', parent: CUSTOMER })
  const handler = written.get('internal/handler/orders.ts') ?? ''
  expect(handler).toContain("{ path: '/v1/customers/:id/orders', post: createUnder, get: listUnder }")
  expect(handler).toContain('listUnderQuery = pageQuery({ filters: { isGift: fields.isGift } })')
  for (const [path, text] of written) {
    expect(() => stripTypeScriptTypes(text)).not.toThrow()
    expect({ path, open: /\{\{|\}\}\}/.exec(text)?.[0] }).toEqual({ path })
  }
  for (const text of make().written.values()) expect(text).not.toMatch(/under|parent/i)
})

describe('unmakeResource', () => {
  /** Lists of a service with one resource, as the formatter leaves them. */
  const own: Readonly<Record<string, string>> = {
    [RESOURCES]: `import { carts } from './handler/carts.ts'

const RESOURCES: readonly Resource[] = [
  // One line for each resource.
  ({ connect }) => connect(prepareCartsStore, createCarts, carts),
]
`,
    [MIGRATIONS]: `import type { Migrations } from '#pkg/postgres/migrate-plan.ts'
import * as carts from './20261122204602-carts.ts'

export const migrations: Migrations = {
  '20261122204602-carts': carts,
}
`,
  }
  const empty = {
    ...own,
    [RESOURCES]: `import { x } from './x.ts'\n\nconst RESOURCES: readonly string[] = [\n  // One line for each resource.\n]\n`,
  }
  const known = new Map<string, string>()
  /** Formats each text once, because a run of the formatter takes 100 ms. */
  const formatOnce = (path: string, text: string) => {
    known.set(text, known.get(text) ?? format(path, text))
    return known.get(text)
  }
  const made = (name: string, lists = own) => {
    const { written, edited } = make({ name, lists })
    const formatted = Object.fromEntries([...edited].map(([path, text]) => [path, formatOnce(path, text) ?? '']))
    return { paths: [...written.keys()], formatted }
  }
  const undo = (name: string, formatted: Readonly<Record<string, string>>, paths: readonly string[]) =>
    unmakeResource({ names: readNames({ NAME: name }), read: (path) => formatted[path] ?? '' }, paths)

  test.each(['tag', 'user-profile', 'very-'.repeat(8).concat('long-name')])(
    'restores both lists and deletes the files of %s, however the formatter has wrapped the entries',
    (name) => {
      for (const lists of [own, empty]) {
        const { paths, formatted } = made(name, lists)
        const { deleted, edited } = undo(name, formatted, ['package.json', ...paths])
        expect(deleted).toEqual(paths)
        expect(Object.fromEntries(edited)).toEqual(lists)
      }
    },
  )

  test('keeps the imports and the entries of the other resources', () => {
    const orders = made('order')
    const both = made('order-line', orders.formatted)
    const paths = [...orders.paths, ...both.paths]
    expect(Object.fromEntries(undo('order-line', both.formatted, paths).edited)).toEqual(orders.formatted)
    expect(Object.fromEntries(undo('order', both.formatted, paths).edited)).toEqual(made('order-line').formatted)
  })

  test('deletes the other tests and the seeds of the resource, and no file of another resource', () => {
    const { paths, formatted } = made('order')
    const further = ['test/browser/orders.test.ts', 'test/orders/refunds.test.ts', 'internal/store/seeds/orders.sql']
    const others = [
      'test/orders-of-users.test.ts',
      'test/back-orders.test.ts',
      'internal/orders.test.ts',
      'internal/store/seeds/carts.sql',
    ]
    expect(undo('order', formatted, [...paths, ...further, ...others]).deleted).toEqual([...paths, ...further])
  })

  test('names the other migrations that mention the table', () => {
    const { paths, formatted } = made('order')
    const texts = {
      'internal/store/migrations/1-note.ts': 'alter table orders add column note text',
      'internal/store/migrations/2-old.ts': 'alter table orders_old add column note text',
    }
    expect(undo('order', { ...formatted, ...texts }, [...paths, ...Object.keys(texts)]).mentioning).toEqual(['1-note'])
  })

  test('refuses a resource that another resource refers to, and names the other resource', () => {
    const migration = 'internal/store/migrations/0011-order-lines.ts'
    const { paths, formatted } = made('order')
    const refer = (text: string, further = ['internal/store/order-lines.ts']) =>
      undo('order', { ...formatted, [migration]: text }, [...paths, migration, ...further])
    for (const text of [
      'create table "order_lines" (id uuid, "order" uuid not null references "orders");',
      'create table "x" (id uuid); ALTER TABLE order_lines ADD COLUMN "order" uuid REFERENCES orders (id);',
    ]) {
      expect(() => refer(text)).toThrow(
        'NAME: other resources refer to orders, remove them first: order_lines (migration 0011-order-lines)',
      )
      // The migration of a removed resource stays where a database has run it.
      expect(refer(text, []).deleted).toEqual(paths)
    }
    expect(refer('create table "order_lines" (id uuid references "orders_old");').deleted).toEqual(paths)
    expect(refer('alter table "orders" add column parent uuid references "orders";').deleted).toEqual(paths)
  })

  test('refuses a resource that make resource has not written, or that has been changed', () => {
    const { paths, formatted } = made('order')
    const changed = (from: string, to: string) =>
      Object.fromEntries(Object.entries(formatted).map(([path, text]) => [path, text.replaceAll(from, to)]))
    const withoutStore = paths.filter((path) => path !== 'internal/store/orders.ts')
    const withoutMigration = paths.filter((path) => !path.includes('migrations'))
    expect(() => undo('order', formatted, withoutMigration)).toThrow('no migration …-orders.ts')
    expect(() => undo('user', formatted, paths)).toThrow('NAME: there is no resource "user"')
    expect(() => undo('order', formatted, withoutStore)).toThrow('do not exist: internal/store/orders.ts')
    expect(() => undo('order', formatted, [...paths, 'internal/store/migrations/20261124000000-orders.ts'])).toThrow(
      'several migrations of orders: 20261123070809-orders, 20261124000000-orders',
    )
    expect(() => undo('order', changed('createOrders, ', ''), paths)).toThrow(
      /^internal.resources\.ts does not have the line that make resource wrote: \(\{ connect \}\) => connect\(prepareOrdersStore/,
    )
    expect(() => undo('order', changed('* as orders', '* as ours'), paths)).toThrow(
      /migrations.index\.ts does not have/,
    )
  })
})
