import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { findLines, killApps, launchApp, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { reportModules } from './support/loaded-modules.ts'
import { readValues } from './support/read-values.ts'
import { type ScriptedConsul, startScriptedConsul } from './support/scripted-consul.ts'
import { freePort, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

let consul: ScriptedConsul
let state: string
const servers: { stop(): Promise<void> }[] = []
beforeEach(async () => {
  consul = await startScriptedConsul()
  state = join(temporaryDirectory('bridge'), 'state.json')
})
afterEach(async () => {
  await killApps()
  await consul.stop()
  for (const server of servers.splice(0)) await server.stop()
})

const environment = () => ({
  SERVICE_NAME: 'orders',
  REGISTRY: consul.address,
  BRIDGE_SINK: 'envoy:127.0.0.1:0',
  BRIDGE_STATE: state,
})

async function startBridge(env: Record<string, string> = {}, program?: readonly string[]) {
  const app = launchApp(['bridge'], { env: { ...environment(), ...env }, ...(program && { program }) })
  const port = Number((await app.line({ message: 'listening' }))['server.port'])
  await app.line({ message: 'serving' })
  return {
    ...app,
    port,
    /** Asks as Envoy does. Returns the status, and the ports of the endpoints. */
    async ask() {
      const body = JSON.stringify({ node: { id: 'e' }, resource_names: ['orders'] })
      const response = await fetch(`http://127.0.0.1:${port}/v3/discovery:endpoints`, { method: 'POST', body })
      if (response.status !== 200) return { status: response.status, text: await response.text() }
      const { resources } = (await response.json()) as { resources: { endpoints: { lb_endpoints: Endpoint[] }[] }[] }
      const list = resources[0]!.endpoints[0]!.lb_endpoints
      return { status: 200, ports: list.map(({ endpoint }) => endpoint.address.socket_address.port_value) }
    },
  }
}

interface Endpoint {
  endpoint: { address: { socket_address: { port_value: number } } }
}

const instances = (...ports: number[]) => ports.map((port) => `10.0.0.1:${port}`)

test('the proxy follows the registry, each change is one line, and SIGTERM ends the bridge with 0', async () => {
  const bridge = await startBridge()
  await bridge.line({ message: 'registry empty' })
  await expect(bridge.ask()).resolves.toMatchObject({ status: 503 })
  consul.set(instances(1, 2, 3))
  await bridge.line({ message: 'instances changed', 'App.bridge.instances': 3 })
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [1, 2, 3] })
  consul.set(instances(1, 3))
  const removed = await bridge.line({ message: 'instances changed', 'App.bridge.instances': 2 })
  expect(removed).toMatchObject({ 'service.target.name': 'orders', 'App.upstream.removed': ['10.0.0.1:2'] })
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [1, 3] })
  bridge.signal('SIGTERM')
  await expect(bridge.ended).resolves.toEqual({ code: 0, signal: null })
  expect(findLines(bridge, 'instances changed')).toHaveLength(2)
})

test('a registry that dies and starts again empty changes nothing, and later instances are added', async () => {
  const bridge = await startBridge()
  consul.set(instances(1, 2))
  await bridge.line({ message: 'instances changed' })
  const port = Number(consul.address.split(':').at(-1))
  await consul.stop()
  await bridge.line({ message: 'registry lost' })
  consul = await startScriptedConsul(port)
  await bridge.line({ message: 'registry back' })
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [1, 2] })
  consul.set(instances(2, 3))
  const held = await bridge.line({ message: 'removals held' })
  expect(held['App.bridge.held']).toEqual(['10.0.0.1:1'])
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [1, 2, 3] })
})

test('garbage of the registry is logged once, and a malformed instance does not reach the proxy', async () => {
  const bridge = await startBridge()
  consul.set([...instances(1), '10.0.0.1;\nserver 6.6.6.6:80'])
  const invalid = await bridge.line({ message: 'instances invalid' })
  expect(invalid['App.bridge.invalid']).toHaveLength(1)
  consul.failWith(200, '<html>not a registry</html>')
  await bridge.line({ message: 'registry lost' })
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [1] })
  consul.set(instances(1))
  await bridge.line({ message: 'registry back' })
  expect(findLines(bridge, 'registry lost')).toHaveLength(1)
})

test('a bridge that is killed serves the last good list after its start, while the registry is down', async () => {
  const first = await startBridge()
  consul.set(instances(1, 2))
  await first.line({ message: 'instances changed' })
  // The file is written after the line.
  while (!existsSync(state)) await first.ask()
  first.signal('SIGKILL')
  await first.ended
  consul.failWith(500, 'No cluster leader')
  const second = await startBridge()
  await second.line({ message: 'registry lost' })
  await expect(second.ask()).resolves.toEqual({ status: 200, ports: [1, 2] })
})

/** Nacos and Eureka with one instance, which respond to the right address and password only. */
async function startPolled() {
  const server = createServer((req, res) => {
    const { pathname, search } = new URL(req.url ?? '', 'http://x')
    const { authorization, accesstoken } = req.headers
    res.setHeader('content-type', 'application/json')
    if (pathname === '/nacos/v3/auth/user/login') return res.end('{"accessToken":"t0ken","tokenTtl":18000}')
    if (pathname === '/nacos/v3/client/ns/instance/list') {
      const isRight = search.startsWith('?namespaceId=prod&groupName=shop&serviceName=orders')
      const data = [{ ip: '10.0.0.1', port: 7, healthy: true, enabled: true }]
      return res.writeHead(isRight && accesstoken === 't0ken' ? 200 : 403).end(JSON.stringify({ code: 0, data }))
    }
    const isRight = pathname === '/eureka/v2/apps/ORDERS' && authorization === `Basic ${btoa('me:pw')}`
    const instance = [{ instanceId: 'a', ipAddr: '10.0.0.1', status: 'UP', port: { $: 7, '@enabled': 'true' } }]
    return res.writeHead(isRight ? 200 : 401).end(JSON.stringify({ application: { instance } }))
  })
  const { port, stop } = await listen(server)
  servers.push({ stop })
  return port
}

test.each([
  ['nacos', '/prod/shop'],
  ['eureka', '/eureka/v2'],
])('%s is polled with the user and the password', async (kind, path) => {
  const registry = `${kind}://me@127.0.0.1:${await startPolled()}${path}`
  const bridge = await startBridge({ REGISTRY: registry, REGISTRY_PASSWORD: 'pw' })
  await bridge.line({ message: 'instances changed' })
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [7] })
})

test('nginx gets a file', async () => {
  const path = `${state}.servers.conf`
  const env = { ...environment(), BRIDGE_SINK: `nginx:${path}`, BRIDGE_NGINX: '/bin/echo nginx' }
  const bridge = launchApp(['bridge'], { env })
  await bridge.line({ message: 'serving' })
  consul.set(instances(1))
  await bridge.line({ message: 'instances changed' })
  bridge.signal('SIGTERM')
  // A stop waits for the publication in progress.
  await expect(bridge.ended).resolves.toEqual({ code: 0, signal: null })
  expect(readFileSync(path, 'utf8')).toContain('server 10.0.0.1:1 weight=1 ')
})

test('a HAProxy that is down is one line in the log', async () => {
  const env = { ...environment(), BRIDGE_SINK: `haproxy:${state}.sock/orders` }
  const bridge = launchApp(['bridge'], { env })
  consul.set(instances(1))
  const line = await bridge.line({ message: 'proxy not updated' })
  expect(line['error.message']).toContain('HAProxy backend orders')
  bridge.signal('SIGTERM')
  await expect(bridge.ended).resolves.toEqual({ code: 0, signal: null })
})

test('a damaged file does not stop the start', async () => {
  writeFileSync(state, '{"service":"orders"')
  const bridge = await startBridge()
  await bridge.line({ message: 'list not read' })
  consul.set(instances(1))
  await bridge.line({ message: 'instances changed' })
  while (!readFileSync(state, 'utf8').includes('10.0.0.1')) await bridge.ask()
})

test('nginx runs without the secrets of the bridge', async () => {
  const [program, environmentFile] = [`${state}.sh`, `${state}.env`]
  writeFileSync(program, `#!/bin/sh\nenv > ${environmentFile}.new && mv ${environmentFile}.new ${environmentFile}\n`)
  chmodSync(program, 0o755)
  const sink = { BRIDGE_SINK: `nginx:${state}.servers.conf`, BRIDGE_NGINX: program }
  launchApp(['bridge'], { env: { ...environment(), ...sink, REGISTRY_PASSWORD: 'a-secret' } })
  consul.set(instances(1))
  await until(() => existsSync(environmentFile))
  const variables = readFileSync(environmentFile, 'utf8')
  expect(variables).toContain(`BRIDGE_NGINX=${program}\n`)
  expect(variables).not.toContain('a-secret')
})

test('metrics count reads, publications and saves, and show the last success and the instances', async () => {
  const ADMIN_PORT = String(await freePort())
  const bridge = await startBridge({ ADMIN_PORT, HOST: '127.0.0.1' })
  const scrape = async () => (await fetch(`http://127.0.0.1:${ADMIN_PORT}/metrics`)).text()
  const read = async (name: string) => readValues(await scrape(), `bridge_${name}`)
  expect(await read('instances')).toEqual({ '': 0 })
  const startedAt = Date.now() / 1e3
  consul.set(instances(1, 2))
  await until(async () => (await read('operations_total'))['operation="save",result="ok"'] === 1)
  expect(await read('instances')).toEqual({ '': 2 })
  expect(await read('operations_total')).toMatchObject({
    'operation="read",result="fail"': 0,
    'operation="publish",result="ok"': 1,
    'operation="publish",result="fail"': 0,
    'operation="save",result="fail"': 0,
  })
  const times = await read('last_success_timestamp_seconds')
  for (const operation of ['read', 'publish', 'save']) {
    expect(times[`operation="${operation}"`]).toBeGreaterThanOrEqual(startedAt)
  }
  consul.failWith(500, 'No cluster leader')
  await bridge.line({ message: 'registry lost' })
  expect((await read('operations_total'))['operation="read",result="fail"']).toBeGreaterThan(0)
  const lost = (await read('last_success_timestamp_seconds'))['operation="read"']
  consul.set(instances(1, 2))
  await bridge.line({ message: 'registry back' })
  expect((await read('last_success_timestamp_seconds'))['operation="read"']).toBeGreaterThan(lost!)
})

test('a failed publication is counted', async () => {
  const ADMIN_PORT = String(await freePort())
  const sink = { BRIDGE_SINK: `haproxy:${state}.sock/orders`, HOST: '127.0.0.1', ADMIN_PORT }
  const bridge = launchApp(['bridge'], { env: { ...environment(), ...sink } })
  consul.set(instances(1))
  await bridge.line({ message: 'proxy not updated' })
  const text = await (await fetch(`http://127.0.0.1:${ADMIN_PORT}/metrics`)).text()
  expect(readValues(text, 'bridge_operations_total')['operation="publish",result="fail"']).toBeGreaterThan(0)
  expect(readValues(text, 'bridge_instances')).toEqual({ '': 0 })
})

test('idle connections cannot keep Envoy away', async () => {
  const bridge = await startBridge()
  consul.set(instances(1))
  await bridge.line({ message: 'instances changed' })
  const sockets = Array.from({ length: 100 }, () => connect(bridge.port, '127.0.0.1').on('error', () => {}))
  await bridge.line({ message: 'connection limit reached', 'App.listener': 'bridge' })
  await expect(bridge.ask()).resolves.toEqual({ status: 200, ports: [1] })
  for (const socket of sockets) socket.destroy()
})

test('the bridge does not load the service', async () => {
  const { program, list } = reportModules('internal/|node_modules/express/')
  const bridge = await startBridge({}, program)
  expect(list(bridge as never)).toContain('internal/bridge.ts')
  expect(list(bridge as never)).not.toContain('internal/app.ts')
  expect(list(bridge as never).filter((file) => /express|http\.ts|routes/.test(file))).toEqual([])
})

test('the service does not load the bridge', async () => {
  const { program, list } = reportModules('internal/|pkg/bridge/|config/')
  const app = await startApp({ program })
  expect(list(app)).toContain('internal/http.ts')
  expect(list(app).filter((file) => /bridge(\/|\.ts)/.test(file))).toEqual([])
})

test('an invalid configuration ends with 78 and all problems, and an argument with 64', async () => {
  const invalid = await runApp(['bridge'], { env: { BRIDGE_SINK: 'x', BRIDGE_GRACE_MS: 'x' } })
  expect(invalid.code).toBe(78)
  for (const name of ['REGISTRY', 'BRIDGE_STATE', 'BRIDGE_SINK', 'BRIDGE_GRACE_MS']) {
    expect(invalid.stderr).toContain(`${name}: got`)
  }
  await expect(runApp(['bridge', '--dry-run'], { env: environment() })).resolves.toMatchObject({ code: 64 })
})

test('a taken port ends the start with 1', async () => {
  const port = consul.address.split(':').at(-1)
  const bridge = launchApp(['bridge'], { env: { ...environment(), BRIDGE_SINK: `envoy:127.0.0.1:${port}` } })
  await bridge.line({ message: 'failed to start' })
  await expect(bridge.ended).resolves.toMatchObject({ code: 1 })
})
