import { expect, test } from '@jest/globals'
import { requestTarget } from './request-target.ts'

test.each([
  ['/ping?a=1', '/ping?a=1'],
  ['/a.b/..c/.d?x=../y', '/a.b/..c/.d?x=../y'],
  ['/docs/swagger-ui-0123.js', '/docs/swagger-ui-0123.js'],
  ['/a%20b', '/a%20b'],
  ['//double', '//double'],
  ['*', '*'],
  ['http://user:hunter2@host/ping?a=1', '/ping?a=1'],
  ['HTTPS://host', '/'],
  ['http://host?a=1', '/?a=1'],
])('%s is the path %s', (target, expected) => {
  expect(requestTarget(target)).toBe(expected)
})

test.each([
  'http://[/ping',
  'ftp://host/ping',
  'host:443',
  '',
  'ping',
  '/a/../b',
  '/a/./b',
  '/..',
  '/.',
  '/a/%2e%2e/b',
  '/a/.%2E/b',
  '/a/..%2fb',
  '/a%2f..%2fb',
  '/a\\b',
  '/a/..\\b',
  '/a/..%5cb',
  '/a#b',
  '/a?b#c',
  'http://host/x/%2e%2e/v1/items',
  'http://host/x/../v1/items',
  'http://host/..',
])('%j is rejected', (target) => {
  expect(requestTarget(target)).toBeUndefined()
})
