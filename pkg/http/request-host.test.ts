import { expect, test } from '@jest/globals'
import { hasValidHost } from './request-host.ts'

test.each(['example.com', 'example.com:8080', '127.0.0.1:80', '[::1]:8080', 'a_host', ''])(
  '%j is a valid host',
  (host) => {
    expect(hasValidHost(['accept', '*/*', 'Host', host], '1.1')).toBe(true)
  },
)

test.each(['a b', 'a/b', 'user@host', 'host:port', '[::1', 'a\tb', 'a?b', 'a#b', 'a\\b', 'ä'])(
  '%j is not a valid host',
  (host) => {
    expect(hasValidHost(['host', host], '1.1')).toBe(false)
  },
)

test('two equal hosts are invalid, and HTTP/1.1 requires one host', () => {
  expect(hasValidHost(['host', 'x', 'HOST', 'x'], '1.1')).toBe(false)
  expect(hasValidHost([], '1.1')).toBe(false)
  expect(hasValidHost([], '1.0')).toBe(true)
})
