import { expect, test } from '@jest/globals'
import { mentions, plan } from './migrate-plan.ts'

const none = { up: '' }
const migrations = {
  '20261124090000-orders': { up: '', formerly: '0002-orders' },
  '20261201000000-late': none,
  '0003-invoices': none,
  '20261122204600-updated-at': { up: '', formerly: '0001-updated-at' },
}

test('migrations run in the order of their names, and a former name takes precedence', () => {
  expect(plan(migrations, new Set()).pending).toEqual([
    '20261122204600-updated-at',
    '20261124090000-orders',
    '0003-invoices',
    '20261201000000-late',
  ])
})

test('a missing migration is pending, even when later migrations have been applied', () => {
  const applied = new Set(['20261122204600-updated-at', '0003-invoices', '20270101000000-newer'])
  expect(plan(migrations, applied)).toEqual({
    pending: ['20261124090000-orders', '20261201000000-late'],
    unknown: ['20270101000000-newer'],
  })
})

test.each([
  ['create index concurrently things_name on things (name)', 'things_name', true],
  ['create index concurrently Things_Name on things (name)', 'things_name', true],
  ['create index concurrently "Things ""one"" name" on things (name)', 'Things "one" name', true],
  ['create index concurrently "Things_name" on things (name)', 'things_name', false],
  ['create index concurrently things_name_lower on things (name)', 'things_name', false],
])('whether %s mentions %s: %s', (statement, name, expected) => {
  expect(mentions(statement, name)).toBe(expected)
})
