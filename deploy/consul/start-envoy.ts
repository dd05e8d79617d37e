import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import type { ListedProxy } from '../../test/discovery/pair.ts'
import { copyWith } from '../../test/support/deploy/directories.ts'
import { createProxy } from '../../test/support/deploy/proxy.ts'
import { installEnvoy } from '../../test/support/install.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

interface Host {
  readonly address: { readonly socket_address: { readonly address: string; readonly port_value: number } }
  readonly health_status: { readonly failed_active_health_check?: boolean; readonly failed_outlier_check?: boolean }
}

interface Clusters {
  readonly cluster_statuses: readonly { readonly name: string; readonly host_statuses?: readonly Host[] }[]
}

/** Starts Envoy with the file of this folder, in which it changes the addresses and the interval of the checks. */
export async function startEnvoy(): Promise<ListedProxy> {
  const command = await installEnvoy()
  const directory = temporaryDirectory('envoy')
  const logFile = join(directory, 'envoy.log')
  const [port, admin, bridge] = [await freePort(), await freePort(), await freePort()]
  copyWith('deploy/consul', join(directory, 'conf'), {
    'envoy.yaml': [
      ['address: 0.0.0.0, port_value: 8000', `address: 127.0.0.1, port_value: ${port}`],
      ['port_value: 9901', `port_value: ${admin}`],
      ['port_value: 18000', `port_value: ${bridge}`],
      [' interval: 2s', ' interval: 0.1s'],
      ['no_traffic_interval: 2s', 'no_traffic_interval: 0.1s'],
    ],
  })
  const running = await launch({
    command,
    args: ['-c', join(directory, 'conf/envoy.yaml'), '--concurrency', '1', '--disable-hot-restart'],
    // Envoy accepts connections after the first list, or after 15 s without a list.
    readyPattern: /starting main dispatch loop/,
    logFile,
    stopSignal: 'SIGTERM',
  })

  async function hosts(): Promise<readonly Host[]> {
    const response = await fetch(`http://127.0.0.1:${admin}/clusters?format=json`)
    const { cluster_statuses: clusters } = (await response.json()) as Clusters
    const cluster = clusters.find(({ name }) => name === 'my-service')
    return cluster?.host_statuses ?? []
  }

  const addresses = (all: readonly Host[]) =>
    all.map(({ address: { socket_address: each } }) => `${each.address}:${each.port_value}`).sort()
  return {
    ...createProxy(port, logFile, running.stop),
    bridge: { BRIDGE_SINK: `envoy:127.0.0.1:${bridge}` },
    listed: async () => addresses(await hosts()),
    usable: async () =>
      addresses(
        (await hosts()).filter(({ health_status: health }) => {
          return health.failed_active_health_check !== true && health.failed_outlier_check !== true
        }),
      ),
  }
}
