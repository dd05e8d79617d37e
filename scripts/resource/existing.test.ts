import { expect, test } from '@jest/globals'
import { findParent, listExisting } from './existing.ts'

const FILES: Readonly<Record<string, string>> = {
  'internal/handler/customers.ts': `  const create = operation({\n    id: 'createCustomer',\n`,
  'test/customers/new-customer.ts': '',
  'internal/handler/office-children.ts': `  const create = operation({\n    id: 'createOfficeChild',\n`,
  'test/office-children/new-office-child.ts': '',
  // Resources without a `new-….ts` file in the tests, and handlers that are not resources.
  'internal/handler/orders.ts': `  const create = operation({\n    id: 'createOrder',\n`,
  'internal/handler/ping.ts': `    id: 'ping',\n`,
  'internal/handler/customers.test.ts': `    id: 'createCustomer',\n`,
}

test('a field can refer to each resource that the tests can create, and the result has its singular and its plural', () => {
  const existing = listExisting(Object.keys(FILES), (path) => FILES[path] ?? '')
  expect(existing.map((names) => [names['user-profile'], names['user-profiles'], names['user_profiles']])).toEqual([
    ['customer', 'customers', 'customers'],
    ['office-child', 'office-children', 'office_children'],
  ])
})

test('a parent is one of these resources', () => {
  const existing = listExisting(Object.keys(FILES), (path) => FILES[path] ?? '')
  expect(findParent('office-child', existing)).toMatchObject({ UserProfiles: 'OfficeChildren' })
  expect(findParent(undefined, existing)).toBeUndefined()
  expect(() => findParent('customers', existing)).toThrow(
    'PARENT: there is no resource "customers", expected one of customer, office-child',
  )
})
