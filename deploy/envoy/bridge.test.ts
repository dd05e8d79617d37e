import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { createEnvoySink } from '#pkg/bridge/index.ts'
import { freePort } from '../../scripts/services/service.ts'
import { unprivileged } from '../../test/support/deploy/directories.ts'
import { useInstances } from '../../test/support/deploy/instances.ts'
import { installEnvoy } from '../../test/support/install.ts'
import { listen } from '../../test/support/listen.ts'
import { until } from '../../test/support/services.ts'

const { endpoints, findUsed, untilUsed, start, onEnd } = useInstances()

const accepts = (port: number) =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  )

async function startSink(port: number) {
  const { publish, handle } = createEnvoySink({ service: 'orders' })
  const { stop } = await listen(createServer(handle), port)
  onEnd(stop)
  return { publish, stop }
}

test('Envoy uses exactly the endpoints, and keeps them while the bridge is down', async () => {
  const command = await installEnvoy()
  const { directory } = unprivileged('envoy')
  const [port, bridgePort] = [await freePort(), await freePort()]
  const first = await startSink(bridgePort)
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
  await until(() => accepts(port))
  await first.publish(endpoints(0, 1))
  await untilUsed(port, 0, 1)
  await first.publish(endpoints(1, 2))
  await untilUsed(port, 1, 2)
  await first.publish(endpoints(0, 1, 2).map((endpoint, i) => ({ ...endpoint, weight: i })))
  await untilUsed(port, 1, 2)
  await first.stop()
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  const second = await startSink(bridgePort)
  await expect(findUsed(port)).resolves.toEqual([1, 2])
  await second.publish(endpoints(0))
  await untilUsed(port, 0)
})
