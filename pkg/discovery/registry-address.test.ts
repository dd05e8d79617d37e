import { expect, test } from '@jest/globals'
import { INVALID_ADDRESSES } from './fakes.ts'
import { parseRegistry } from './registry-address.ts'

test.each([
  ['consul://10.0.0.1', { kind: 'consul', origin: 'http://10.0.0.1:8500', host: '10.0.0.1', port: 8500 }],
  ['consul+https://consul:8501/', { kind: 'consul', origin: 'https://consul:8501', host: 'consul', port: 8501 }],
  ['consul://[::1]:8500', { kind: 'consul', origin: 'http://[::1]:8500', host: '::1', port: 8500 }],
  [
    'nacos://writer@nacos.local:8849/prod/orders',
    {
      kind: 'nacos',
      origin: 'http://nacos.local:8849',
      host: 'nacos.local',
      port: 8849,
      username: 'writer',
      namespace: 'prod',
      group: 'orders',
    },
  ],
  [
    'nacos://nacos',
    {
      kind: 'nacos',
      origin: 'http://nacos:8848',
      host: 'nacos',
      port: 8848,
      namespace: 'public',
      group: 'DEFAULT_GROUP',
    },
  ],
  [
    'eureka://us%40er@eureka:8761/eureka/v2',
    {
      kind: 'eureka',
      origin: 'http://eureka:8761',
      host: 'eureka',
      port: 8761,
      username: 'us@er',
      path: '/eureka/v2',
    },
  ],
  ['eureka://eureka', { kind: 'eureka', origin: 'http://eureka:8761', host: 'eureka', port: 8761, path: '/eureka' }],
])('%s is parsed', (text, address) => {
  expect(parseRegistry(text)).toEqual(address)
})

test.each([...INVALID_ADDRESSES, '', 'http://consul:8500', 'eureka://ho st'])(
  '%p is refused, and the error shows no password',
  (text) => {
    const error = catchError(() => parseRegistry(text))
    expect(error).toBeInstanceOf(Error)
    expect(String(error)).not.toContain('s3cr')
  },
)

function catchError(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
