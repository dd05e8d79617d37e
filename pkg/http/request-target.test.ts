import { expect, test } from '@jest/globals'
import { requestTarget } from './request-target.ts'

test.each([
  ['/ping?a=1', '/ping?a=1'],
  ['//double', '//double'],
  ['*', '*'],
  ['http://user:hunter2@host/ping?a=1', '/ping?a=1'],
  ['HTTPS://host', '/'],
  ['http://[/ping', undefined],
  ['ftp://host/ping', undefined],
  ['host:443', undefined],
  ['', undefined],
])('%j is %j', (target, expected) => {
  expect(requestTarget(target)).toBe(expected)
})
