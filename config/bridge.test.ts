import { expect, test } from '@jest/globals'
import { loadBridge } from './bridge.ts'
import { ConfigError } from './load.ts'

const minimal = {
  REGISTRY: 'consul://10.0.0.1:8500',
  BRIDGE_SINK: 'envoy:127.0.0.1:18000',
  BRIDGE_STATE: '/var/lib/bridge/state.json',
}

function problemsOf(environment: Record<string, string>, readFile?: (path: string) => string): readonly string[] {
  try {
    loadBridge(environment, readFile)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('three variables are enough', () => {
  expect(loadBridge(minimal)).toMatchObject({
    REGISTRY: 'consul://10.0.0.1:8500',
    BRIDGE_SINK: { kind: 'envoy', host: '127.0.0.1', port: 18_000 },
    BRIDGE_STATE: '/var/lib/bridge/state.json',
    BRIDGE_GRACE_MS: 15_000,
    BRIDGE_ALLOW_EMPTY: false,
    BRIDGE_NGINX: ['nginx'],
  })
})

test('all problems are reported together: missing variables, invalid ones and secret files', () => {
  const problems = problemsOf(
    { BRIDGE_SINK: 'traefik:/x', BRIDGE_GRACE_MS: '-1', REGISTRY_PASSWORD_FILE: '/run/secrets/none' },
    () => {
      throw Object.assign(new Error(), { code: 'ENOENT' })
    },
  )
  expect(problems.map((problem) => problem.split(':')[0])).toEqual([
    'REGISTRY_PASSWORD_FILE',
    'REGISTRY',
    'BRIDGE_STATE',
    'BRIDGE_SINK',
    'BRIDGE_GRACE_MS',
  ])
})

test('instances replace the registry, and both together are a contradiction', () => {
  const { REGISTRY: _, ...proxy } = minimal
  const { BRIDGE_INSTANCES, REGISTRY } = loadBridge({ ...proxy, BRIDGE_INSTANCES: '10.0.0.1:8080, [::1]:8081' })
  expect([BRIDGE_INSTANCES, REGISTRY]).toEqual([
    [
      { host: '10.0.0.1', port: 8080 },
      { host: '::1', port: 8081 },
    ],
    undefined,
  ])
  expect(problemsOf({ ...minimal, BRIDGE_INSTANCES: '10.0.0.1:8080' })).toEqual([
    'BRIDGE_INSTANCES: expected nothing, because REGISTRY is set',
  ])
  // The proxy would not get an instance with a name.
  for (const invalid of ['10.0.0.1', 'orders-1:8080', '10.0.0.1:8080,orders-1:8080']) {
    expect(problemsOf({ ...proxy, BRIDGE_INSTANCES: invalid })).toEqual([expect.stringContaining('expected ip:port')])
  }
})

test('variables of the service are ignored, because the bridge does not use them', () => {
  expect(problemsOf({ ...minimal, DATABASE_URL: 'x', PORT: 'x', DATABASE_URL_FILE: '/none' })).toEqual([])
})

test('the password may come from a file, and needs a user', () => {
  const nacos = { ...minimal, REGISTRY: 'nacos://me@10.0.0.1', REGISTRY_PASSWORD_FILE: '/run/secrets/x' }
  expect(loadBridge(nacos, () => 'pw\n').REGISTRY_PASSWORD).toBe('pw')
  expect(problemsOf({ ...minimal, REGISTRY: 'nacos://me@10.0.0.1' })).toHaveLength(1)
})

test.each([
  ['envoy:[::1]:0', { kind: 'envoy', host: '::1', port: 0 }],
  ['nginx:/etc/nginx/servers.conf', { kind: 'nginx', path: '/etc/nginx/servers.conf' }],
  ['haproxy:/run/haproxy/admin.sock/orders', { kind: 'haproxy', path: '/run/haproxy/admin.sock', backend: 'orders' }],
])('the sink %s is accepted', (text, sink) => {
  expect(loadBridge({ ...minimal, BRIDGE_SINK: text }).BRIDGE_SINK).toEqual(sink)
})

test.each([
  'envoy',
  'envoy:18000',
  'envoy:127.0.0.1:65536',
  'nginx:servers.conf',
  'nginx:/etc/nginx/a b',
  'nginx:/etc/nginx/x;',
  'haproxy:/run/haproxy/admin.sock/',
  'haproxy:/orders',
  'haproxy:/run/a.sock/orders;shutdown',
  'haproxy:/run/a.sock/orders\nset',
])('the sink %j is refused', (text) => {
  expect(problemsOf({ ...minimal, BRIDGE_SINK: text })).toEqual([expect.stringContaining('BRIDGE_SINK: got')])
})

test('the program of nginx may have arguments', () => {
  const { BRIDGE_NGINX } = loadBridge({ ...minimal, BRIDGE_NGINX: 'nginx  -p /x -c /y' })
  expect(BRIDGE_NGINX).toEqual(['nginx', '-p', '/x', '-c', '/y'])
  expect(problemsOf({ ...minimal, BRIDGE_NGINX: ' ' })).toHaveLength(1)
})
