import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { createEnvoySink, createHaproxySink, createNginxSink } from '#pkg/bridge/index.ts'
import { freePort, launch } from '../../scripts/services/service.ts'
import { installEnvoy } from '../support/deploy/install-envoy.ts'
import { unprivileged } from '../support/deploy/unprivileged.ts'
import { until } from '../support/services.ts'
import { debianTool } from '../support/tools.ts'

/** Three instances that respond with their own port. */
let instances: Server[]
let ports: number[]
const running: { stop(): Promise<void> }[] = []

beforeAll(async () => {
  instances = [0, 1, 2].map(() =>
    createServer((req, res) => res.end(String(req.socket.localPort))).listen(0, '127.0.0.1'),
  )
  await Promise.all(instances.map((instance) => once(instance, 'listening')))
  ports = instances.map((instance) => (instance.address() as AddressInfo).port)
})
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop()
})
afterAll(() => {
  for (const instance of instances) {
    instance.close()
    instance.closeAllConnections()
  }
})

const endpoints = (...indexes: number[]) => indexes.map((i) => ({ host: '127.0.0.1', port: ports[i]!, weight: 1 }))

async function get(port: number): Promise<{ status: number; body: string }> {
  const sent = request({ host: '127.0.0.1', port, path: '/', agent: false }).end()
  const [response] = await once(sent, 'response')
  return { status: response.statusCode, body: await text(response) }
}

/** Returns the indexes of the instances that respond to nine requests. */
async function findUsed(port: number): Promise<number[]> {
  const used = new Set<number>()
  for (let n = 0; n < 9; n++) {
    const { status, body } = await get(port)
    used.add(status === 200 ? ports.indexOf(Number(body)) : -status)
  }
  return [...used].sort()
}

async function start(...[options]: Parameters<typeof launch>) {
  const process = await launch(options)
  running.push(process)
  return process
}

async function startHaproxy(slots: number) {
  const command = await debianTool('haproxy', 'haproxy')
  const { directory, spawnOptions } = unprivileged('haproxy')
  const port = await freePort()
  const path = join(directory, 'admin.sock')
  const file = join(directory, 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  stats socket ${path} mode 666 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend public
  bind 127.0.0.1:${port}
  default_backend orders
backend orders
  balance roundrobin
  server-template slot 1-${slots} 127.0.0.1:1 disabled check inter 1s
`,
  )
  const open = () =>
    start({
      command,
      args: ['-W', '-f', file],
      spawnOptions,
      readyPattern: /Loading success/,
      logFile: join(directory, 'haproxy.log'),
      stopSignal: 'SIGTERM',
    })
  return { port, path, open, process: await open() }
}

test('HAProxy uses exactly the endpoints, and gets them again after its restart', async () => {
  const { port, path, open, process } = await startHaproxy(3)
  const sink = createHaproxySink({ path, backend: 'orders' })
  await sink.publish(endpoints(0, 1))
  await expect(findUsed(port)).resolves.toEqual([0, 1])
  await sink.publish(endpoints(1, 2))
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  await sink.publish(endpoints(0))
  await expect(findUsed(port)).resolves.toEqual([0])
  await sink.publish(endpoints(0, 1, 2))
  await expect(findUsed(port)).resolves.toEqual([0, 1, 2])
  await process.stop()
  running.splice(0)
  await expect(sink.publish(endpoints(0, 1, 2))).rejects.toThrow(path)
  await open()
  await expect(findUsed(port)).resolves.toEqual([-503])
  await sink.publish(endpoints(0, 1, 2))
  await expect(findUsed(port)).resolves.toEqual([0, 1, 2])
})

test('HAProxy follows weights, and weight 0 drains', async () => {
  const { port, path } = await startHaproxy(3)
  const sink = createHaproxySink({ path, backend: 'orders' })
  await sink.publish(endpoints(0, 1, 2).map((endpoint, i) => ({ ...endpoint, weight: i })))
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  await sink.publish(endpoints(0, 1, 2))
  // After a change of weights, the round robin of HAProxy needs some requests until it reaches each server.
  await untilUsed(port, 0, 1, 2)
})

test('HAProxy with a slot too few uses all slots, and the error names the rest', async () => {
  const { port, path } = await startHaproxy(2)
  const sink = createHaproxySink({ path, backend: 'orders' })
  await expect(sink.publish(endpoints(0, 1, 2))).rejects.toThrow('needs 1 more slots')
  await expect(findUsed(port)).resolves.toHaveLength(2)
})

test('a backend that HAProxy does not have is an error', async () => {
  const { path } = await startHaproxy(2)
  const sink = createHaproxySink({ path, backend: 'none' })
  await expect(sink.publish(endpoints(0))).rejects.toThrow("HAProxy backend none: Can't find backend.")
})

test('a thousand slots of HAProxy are filled and emptied', async () => {
  const { path } = await startHaproxy(1_000)
  const sink = createHaproxySink({ path, backend: 'orders', timeoutMs: 30_000 })
  const many = Array.from({ length: 1_000 }, (_, i) => ({ host: '127.0.0.1', port: i + 1, weight: 1 }))
  await sink.publish(many)
  await sink.publish(many.slice(0, 1))
})

async function startNginx() {
  const program = await debianTool('nginx', 'nginx')
  const { directory, spawnOptions } = unprivileged('nginx')
  const port = await freePort()
  const path = join(directory, 'servers.conf')
  const file = join(directory, 'nginx.conf')
  const config = `
error_log stderr notice;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
  upstream orders { zone orders 64k; include servers.conf; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://orders; } }
}
`
  writeFileSync(file, config)
  writeFileSync(path, 'server 127.0.0.1:1 down;\n')
  await start({
    command: program,
    args: ['-p', directory, '-c', file, '-g', 'daemon off;'],
    spawnOptions,
    readyPattern: /start worker process \d+/,
    logFile: join(directory, 'nginx.log'),
    stopSignal: 'SIGTERM',
  })
  const command = [program, '-p', directory, '-c', file]
  return { port, path, file, config, sink: createNginxSink({ path, command }) }
}

/** A reload ends before nginx has started its new workers. */
const untilUsed = async (port: number, ...indexes: number[]) => {
  await until(async () => (await findUsed(port)).join() === indexes.join())
}

test('nginx uses exactly the endpoints', async () => {
  const { port, sink } = await startNginx()
  await sink.publish(endpoints(0, 1))
  await untilUsed(port, 0, 1)
  await sink.publish(endpoints(1, 2))
  await untilUsed(port, 1, 2)
  await sink.publish([])
  await untilUsed(port, -502)
})

test('nginx keeps its list when it refuses its configuration', async () => {
  const { port, path, file, config, sink } = await startNginx()
  await sink.publish(endpoints(0, 1))
  await untilUsed(port, 0, 1)
  const before = readFileSync(path, 'utf8')
  writeFileSync(file, config.replace('events {}', 'evnts {}'))
  await expect(sink.publish(endpoints(2))).rejects.toThrow('unknown directive "evnts"')
  expect(readFileSync(path, 'utf8')).toBe(before)
  await expect(findUsed(port)).resolves.toEqual([0, 1])
  writeFileSync(file, config)
  await sink.publish(endpoints(2))
  await untilUsed(port, 2)
})

test('a list that is too long for the zone of nginx is refused, and the old list stays', async () => {
  const { port, path, sink } = await startNginx()
  await sink.publish(endpoints(0))
  await untilUsed(port, 0)
  const before = readFileSync(path, 'utf8')
  const many = Array.from({ length: 10_000 }, (_, i) => ({ host: '127.0.0.1', port: i + 1, weight: 1 }))
  await expect(sink.publish(many)).rejects.toThrow('no memory in upstream zone "orders"')
  expect(readFileSync(path, 'utf8')).toBe(before)
})

test('Envoy uses exactly the endpoints, and keeps them while the bridge is down', async () => {
  const command = await installEnvoy()
  const { directory } = unprivileged('envoy')
  const [port, bridgePort] = [await freePort(), await freePort()]
  const sink = createEnvoySink({ service: 'orders', host: '127.0.0.1', port: bridgePort })
  await sink.start()
  let stopSink = () => sink.stop()
  running.push({ stop: () => stopSink() })
  const file = join(directory, 'envoy.yaml')
  const api =
    'api_config_source: { api_type: REST, transport_api_version: V3, cluster_names: [bridge], refresh_delay: 0.1s, request_timeout: 1s }'
  writeFileSync(
    file,
    `
node: { id: edge-1, cluster: edge }
static_resources:
  listeners:
    - name: public
      address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: public
                route_config: { virtual_hosts: [{ name: all, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: orders } }] }] }
                http_filters: [{ name: router, typed_config: { '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
  clusters:
    - name: orders
      type: EDS
      connect_timeout: 1s
      common_lb_config: { update_merge_window: 0s }
      eds_cluster_config: { eds_config: { resource_api_version: V3, initial_fetch_timeout: 1s, ${api} } }
    - name: bridge
      type: STATIC
      connect_timeout: 1s
      load_assignment:
        cluster_name: bridge
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${bridgePort} } } } }] }]
`,
  )
  await start({
    command,
    args: ['-c', file, '--concurrency', '1', '--disable-hot-restart'],
    readyPattern: /starting workers/,
    logFile: join(directory, 'envoy.log'),
    stopSignal: 'SIGTERM',
  })
  const isListening = () =>
    get(port).then(
      () => true,
      () => false,
    )
  await until(isListening)
  await sink.publish(endpoints(0, 1))
  await untilUsed(port, 0, 1)
  await sink.publish(endpoints(1, 2))
  await untilUsed(port, 1, 2)
  await sink.publish(endpoints(0, 1, 2).map((endpoint, i) => ({ ...endpoint, weight: i })))
  await untilUsed(port, 1, 2)
  await sink.stop()
  stopSink = async () => {}
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  const second = createEnvoySink({ service: 'orders', host: '127.0.0.1', port: bridgePort })
  await second.start()
  stopSink = () => second.stop()
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  await second.publish(endpoints(0))
  await untilUsed(port, 0)
})
