import { expect, test } from '@jest/globals'
import { type ConfigError, validate } from './load.ts'

const parse = (UPSTREAMS: string) => validate({ UPSTREAMS }).UPSTREAMS

function findProblems(environment: Record<string, string>): readonly string[] {
  try {
    validate(environment)
    return []
  } catch (error) {
    return (error as ConfigError).problems
  }
}

test('UPSTREAMS accepts lists of instances, names and SRV records', () => {
  const given =
    'payments=http://10.0.0.1:8080|https://[::1]|http://pay:80, search=dns://search.shop:8080,' +
    'mail=srv://_http._tcp.mail,find=dns+https://search.shop:8443,post=srv+https://_https._tcp.mail.shop'
  expect(parse(given)).toEqual([
    {
      name: 'payments',
      source: {
        type: 'static',
        origins: [
          { protocol: 'http:', host: '10.0.0.1', port: 8080, authority: '10.0.0.1:8080' },
          { protocol: 'https:', host: '::1', port: 443, authority: '[::1]' },
          { protocol: 'http:', host: 'pay', port: 80, authority: 'pay' },
        ],
      },
    },
    { name: 'search', source: { type: 'dns', host: 'search.shop', port: 8080, protocol: 'http:' } },
    { name: 'mail', source: { type: 'srv', name: '_http._tcp.mail', protocol: 'http:' } },
    { name: 'find', source: { type: 'dns', host: 'search.shop', port: 8443, protocol: 'https:' } },
    { name: 'post', source: { type: 'srv', name: '_https._tcp.mail.shop', protocol: 'https:' } },
  ])
  expect(validate({}).UPSTREAMS).toEqual([])
})

test.each([
  'payments',
  'payments=',
  '=http://a',
  'Payments=http://a',
  'payments=http://a,payments=http://b',
  'payments=http://a,',
  'payments=http://a:0',
  'payments=http://a/path',
  'payments=http://a?query',
  'payments=http://user:password@a',
  'payments=http://a|',
  'payments=http://a|dns://b:80',
  'payments=ftp://a',
  'payments=tcp://a:80',
  'payments=dns://search',
  'payments=dns://search:0',
  'payments=dns://search:65536',
  'payments=dns://search:80/path',
  'payments=dns+http://search:80',
  'payments=dns+https://search',
  'payments=srv://mail',
  'payments=srv://_http._tcp.',
])('UPSTREAMS rejects %s', (given) => {
  expect(findProblems({ UPSTREAMS: given })).toEqual([
    expect.stringMatching(
      /^UPSTREAMS: got .*, expected name=target pairs separated by commas, each name once; a target/,
    ),
  ])
})

test('problems of upstreams are reported with all others', () => {
  const environment = { UPSTREAMS: 'payments=http://a', UPSTREAM_OPEN: 'payment', UPSTREAM_TIMEOUT_MS: '0', PORT: 'x' }
  expect(findProblems(environment)).toEqual([
    'PORT: got "x", expected an integer from 0 to 65535',
    'UPSTREAM_TIMEOUT_MS: got "0", expected an integer from 10 to 600000 milliseconds',
    'UPSTREAM_OPEN: got "payment", expected names from UPSTREAMS (payments)',
  ])
})

test('no check can take the name of the check of an upstream', () => {
  const HEALTH_CHECKS = 'upstream-payments=tcp://payments:80'
  expect(findProblems({ HEALTH_CHECKS })).toEqual([expect.stringMatching(/^HEALTH_CHECKS: got /)])
})
