import { expect, test } from '@jest/globals'
import { toIp } from './client-address.ts'

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['2001:db8::1', '2001:db8::1'],
  ['::ffff:203.0.113.9', '::ffff:203.0.113.9'],
  ['fe80::1%eth0', undefined],
  ['203.0.113.9:8080', undefined],
  ['unknown', undefined],
  ['', undefined],
  [undefined, undefined],
])('%s gives the IP address %s', (address, ip) => {
  expect(toIp(address)).toBe(ip)
})
