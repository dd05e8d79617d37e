import { expect, test } from '@jest/globals'
import { findParent, listExisting } from './existing.ts'

const FILES = [
  'internal/handler/customers.ts',
  'test/customers/new-customer.ts',
  'internal/handler/office-children.ts',
  'test/office-children/new-office-child.ts',
  // Resources without a `new-….ts` file in the tests, and handlers that are not resources. `maps` has the name of the
  // global Map of JavaScript.
  'internal/handler/orders.ts',
  'internal/handler/maps.ts',
  'internal/handler/ping.ts',
  'internal/handler/customers.test.ts',
  'test/support/new-thing.ts',
]

test('a field can refer to each resource that the tests can create, and the result has its singular and its plural', () => {
  const existing = listExisting(FILES)
  expect(existing.map((names) => [names['user-profile'], names['user-profiles'], names['user_profiles']])).toEqual([
    ['customer', 'customers', 'customers'],
    ['office-child', 'office-children', 'office_children'],
  ])
})

test('a parent is one of these resources', () => {
  const existing = listExisting(FILES)
  expect(findParent('office-child', existing)).toMatchObject({ UserProfiles: 'OfficeChildren' })
  expect(findParent(undefined, existing)).toBeUndefined()
  expect(() => findParent('customers', existing)).toThrow(
    'PARENT: there is no resource "customers", expected one of customer, office-child',
  )
})
