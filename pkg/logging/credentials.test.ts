import { expect, test } from '@jest/globals'
import { withoutCredentials } from './credentials.ts'

test.each([
  ['cannot reach postgres://app:hunter2@db:5432/app', 'cannot reach postgres://***@db:5432/app'],
  ['redis://:p/hunter2@x@h and //user:hunter2@h', 'redis://***@h and //***@h'],
  ['"postgres://app:hunter2@db","at":"a@b"', '"postgres://***@db","at":"a@b"'],
  ['at file:///app/node_modules/@redis/client/x.js:1:2', 'at file:///app/node_modules/@redis/client/x.js:1:2'],
  ['https://host/path', 'https://host/path'],
  ['https://pay/live?token=hunter2 answered 500', 'https://pay/live?*** answered 500'],
  ['"https://u:hunter2@pay/?a=1,token=hunter2&b" and //h?x', '"https://***@pay/?***" and //h?***'],
  ['ready? see https://host/path', 'ready? see https://host/path'],
])('%s', (text, shown) => {
  expect(withoutCredentials(text)).toBe(shown)
})

test('takes linear time for a text with many slashes', () => {
  // In quadratic time, this would take an hour.
  const text = 'a//'.repeat(1e6)
  expect(withoutCredentials(text)).toBe(text)
})
