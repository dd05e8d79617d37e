import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { copyWith } from '../../test/support/deploy/directories.ts'
import { createProxy, NOWHERE, type ProxyOptions, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { installEnvoy } from '../../test/support/install.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

/** https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/clusters.proto#admin-v3-hosthealthstatus */
type HealthStatus = Readonly<Record<string, unknown>>

interface Cluster {
  readonly host_statuses: readonly {
    readonly address: { readonly socket_address: { readonly address: string; readonly port_value: number } }
    readonly health_status: HealthStatus
  }[]
}

export interface EnvoyOptions extends ProxyOptions {
  /** Interval of the health checks. @default 0.1s */
  readonly checkInterval?: string
  /** Shortest time without requests for an instance that refuses connections. @default that of envoy.yaml */
  readonly ejectionTime?: string
  /** Longest silence of an instance in a response to GET. @default that of envoy.yaml */
  readonly silence?: string
  /** Inserts the filter of sticky-cookie.yaml. @default false */
  readonly hasCookie?: boolean
}

export interface RunningEnvoy extends RunningProxy {
  /** Returns the health of an instance, without the fields that are false. */
  health(address: string): Promise<HealthStatus | undefined>
}

/**
 * Starts Envoy with the files of this folder, in which it changes addresses, intervals and the strategy, and adds the
 * admin listener.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'ROUND_ROBIN' } = options
  const { checkInterval = '0.1s', ejectionTime = '2s', silence = '35s', hasCookie = false } = options
  const command = await installEnvoy()
  const directory = temporaryDirectory('envoy')
  const logFile = join(directory, 'envoy.log')
  const [port, adminPort] = [await freePort(), await freePort()]
  const socketAddress = (address: string) => {
    const [host, port] = address.split(':')
    return `address: ${host}, port_value: ${port} `
  }
  const endpoint = (address: string, weight: number) =>
    `${socketAddress(address)}} } }\n                load_balancing_weight: ${weight}\n`
  const filter = hasCookie ? readFileSync('deploy/envoy/sticky-cookie.yaml', 'utf8').replace(/^/gm, ' '.repeat(18)) : ''
  const forGet = `
                            retry_policy:
                              retry_on: connect-failure,refused-stream,reset`
  copyWith('deploy/envoy', join(directory, 'conf'), {
    'envoy.yaml': [
      [
        'static_resources:',
        `admin: { address: { socket_address: { ${socketAddress(`127.0.0.1:${adminPort}`)}} } }\nstatic_resources:`,
      ],
      ['http_filters:\n', `http_filters:\n${filter}\n`],
      [socketAddress('0.0.0.0:8000'), socketAddress(`127.0.0.1:${port}`)],
      ...instances.map(
        (address, index) => [endpoint(`10.0.0.${11 + index}:8080`, 1), endpoint(address, weights[index] ?? 1)] as const,
      ),
      [socketAddress('10.0.0.21:8080'), socketAddress(backup)],
      [' interval: 2s', ` interval: ${checkInterval}`],
      [`idle_timeout: 35s${forGet}`, `idle_timeout: ${silence}${forGet}`],
      ['base_ejection_time: 2s', `base_ejection_time: ${ejectionTime}`],
      ['no_traffic_interval: 2s', `no_traffic_interval: ${checkInterval}`],
      ['lb_policy: LEAST_REQUEST', `lb_policy: ${strategy}`],
    ],
  })
  const running = await launch({
    command,
    args: ['-c', join(directory, 'conf/envoy.yaml'), '--concurrency', '1', '--disable-hot-restart'],
    readyPattern: /starting workers/,
    logFile,
    stopSignal: 'SIGTERM',
  })
  async function health(address: string): Promise<HealthStatus | undefined> {
    const response = await fetch(`http://127.0.0.1:${adminPort}/clusters?format=json`)
    const { cluster_statuses: clusters } = (await response.json()) as { cluster_statuses: readonly Cluster[] }
    const hosts = clusters.flatMap(({ host_statuses: all }) => all)
    const isWanted = ({ address: { socket_address: each } }: (typeof hosts)[number]) =>
      `${each.address}:${each.port_value}` === address
    return hosts.find(isWanted)?.health_status
  }

  // Envoy reports its workers before they listen, and it listens before it has checked every instance.
  await until(() => accepts(port))
  const checked = backup === NOWHERE ? instances : [...instances, backup]
  const isHealthy = async (address: string) => (await health(address))?.['failed_active_health_check'] === undefined
  await until(async () => (await Promise.all(checked.map(isHealthy))).every(Boolean))
  return { ...createProxy(port, logFile, running.stop), health }
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const accepted = once(socket, 'connect').then(
    () => true,
    () => false,
  )
  return accepted.finally(() => socket.destroy())
}
