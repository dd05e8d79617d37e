import { expect, test } from '@jest/globals'
import { INVALID_ADDRESSES } from '#pkg/discovery/fakes.ts'
import { parseRegistry } from '#pkg/discovery/index.ts'
import { describeConfig, validate } from './load.ts'
import { createSettings } from './settings.ts'

const load = (environment: Readonly<Record<string, string>>) => createSettings(environment).current()

test.each([
  'consul://10.0.0.1',
  'consul+https://consul.example.com:8501/',
  'consul://[::1]:8500',
  'nacos://nacos',
  'nacos://nacos:8848/prod',
  'nacos://nacos:8848/prod/orders/',
  'eureka://eureka-1:8761',
  'eureka://eureka:8761/eureka/v2/',
])('%s is an address of a registry, which pkg/discovery can parse', (REGISTRY) => {
  expect(load({ REGISTRY }).REGISTRY).toBe(REGISTRY)
  expect(parseRegistry(REGISTRY).origin).toMatch(/^https?:\/\/[^/]+:\d+$/)
})

test.each(['nacos://us%40er@nacos/prod', 'eureka+https://user@eureka'])('%s needs a password', (REGISTRY) => {
  expect(load({ REGISTRY, REGISTRY_PASSWORD: 's3cret' }).REGISTRY).toBe(REGISTRY)
  expect(parseRegistry(REGISTRY)).toHaveProperty('username')
  expect(() => load({ REGISTRY })).toThrow('expected REGISTRY_PASSWORD to be set too, because of the user')
})

test.each([...INVALID_ADDRESSES, 'zookeeper://host'])(
  'REGISTRY=%s is refused, and the error shows no password',
  (REGISTRY) => {
    expect(() => load({ REGISTRY })).toThrow(/^invalid configuration, 1 problem:\n {2}REGISTRY: got "(?!.*s3cr)/)
  },
)

test('ADVERTISE is a host and a port', () => {
  expect(load({ REGISTRY: 'consul://a', ADVERTISE: 'orders-1.internal:8080' }).ADVERTISE).toEqual({
    host: 'orders-1.internal',
    port: 8080,
  })
  expect(load({ REGISTRY: 'consul://a', ADVERTISE: '[2001:db8::5]:80' }).ADVERTISE).toEqual({
    host: '2001:db8::5',
    port: 80,
  })
  for (const ADVERTISE of ['orders', ':8080', 'orders:0', 'orders:65536', 'http://orders:80', '2001:db8::5:80']) {
    expect(() => load({ REGISTRY: 'consul://a', ADVERTISE })).toThrow(/ADVERTISE: got ".*", expected host:port/)
  }
})

test('REGISTRY_PASSWORD and ADVERTISE need REGISTRY, and the password of Nacos and Eureka needs a user', () => {
  expect(() => validate({ REGISTRY_PASSWORD: 's3cret', ADVERTISE: 'a:1' })).toThrow(
    [
      'invalid configuration, 2 problems:',
      'REGISTRY_PASSWORD: got a secret value (not shown), expected REGISTRY to be set too',
      'ADVERTISE: got "a:1", expected REGISTRY to be set too',
    ].join('\n  '),
  )
  expect(() => load({ REGISTRY: 'nacos://a', REGISTRY_PASSWORD: 's3cret' })).toThrow(
    'REGISTRY_PASSWORD: got a secret value (not shown), expected a user in REGISTRY',
  )
  expect(load({ REGISTRY: 'consul://a', REGISTRY_PASSWORD: 's3cret' }).REGISTRY_PASSWORD).toBe('s3cret')
})

test('the password may come from a file, and the description of the configuration masks user and password', () => {
  const settings = createSettings(
    { REGISTRY: 'nacos://writer@nacos/prod', REGISTRY_PASSWORD_FILE: '/run/secrets/registry' },
    () => 's3cret\n',
  )
  const config = settings.current()
  expect(config.REGISTRY_PASSWORD).toBe('s3cret')
  const described = describeConfig(config)
  expect(described).toContain('"REGISTRY": "nacos://***@nacos/prod"')
  expect(described).toContain('"REGISTRY_PASSWORD": "***"')
  expect(described).not.toContain('s3cret')
})
