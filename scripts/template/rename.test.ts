import { expect, test } from '@jest/globals'
import { createRenamer } from './rename.ts'

test.each([
  ['old-name', 'orders-2'],
  ['OLD_NAME=old_name', 'ORDERS_2=orders_2'],
  ['oldName, new OldName()', 'orders2, new Orders2()'],
  ['Old name, Old Name and old name', 'Orders 2, Orders 2 and orders 2'],
  ['oldname.zone', 'orders2.zone'],
])('%s becomes %s', (text, expected) => {
  expect(createRenamer('old-name', 'orders-2')(text)).toBe(expected)
})

test('a new name may contain the old name', () => {
  expect(createRenamer('old-name', 'old-name-2')('old-name/old-name')).toBe('old-name-2/old-name-2')
})

test('dollar signs in a text stay unchanged', () => {
  expect(createRenamer('old-name', 'orders')('old-name $& $1')).toBe('orders $& $1')
})
