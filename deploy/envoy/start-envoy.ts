import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { copyWith } from '../../test/support/deploy/copy-with.ts'
import { installEnvoy } from '../../test/support/deploy/install-envoy.ts'
import { createProxy, NOWHERE, type ProxyOptions, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

/** Logs changes of health to a file. Envoy cannot open its standard output, which is a socket here. */
const renderEventLogger = (path: string) => `
          event_logger:
            - name: file
              typed_config:
                '@type': type.googleapis.com/envoy.extensions.health_check.event_sinks.file.v3.HealthCheckEventFileSink
                event_log_path: ${path}`

export interface RunningEnvoy extends RunningProxy {
  /** Returns the changes of health that Envoy has logged. */
  events(): string
}

/**
 * Starts Envoy with the file of this folder, in which it changes addresses, the interval of the checks and the
 * strategy, and adds a log of events.
 */
export async function startEnvoy(options: ProxyOptions): Promise<RunningEnvoy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'ROUND_ROBIN' } = options
  const command = await installEnvoy()
  const directory = temporaryDirectory('envoy')
  const logFile = join(directory, 'envoy.log')
  const eventFile = join(directory, 'events.log')
  const port = await freePort()
  const socketAddress = (address: string) => {
    const [host, port] = address.split(':')
    return `address: ${host}, port_value: ${port} `
  }
  const endpoint = (address: string, weight: number) =>
    `${socketAddress(address)}} } }\n                load_balancing_weight: ${weight}\n`
  copyWith('deploy/envoy', join(directory, 'conf'), {
    'envoy.yaml': [
      [socketAddress('0.0.0.0:8000'), socketAddress(`127.0.0.1:${port}`)],
      ...instances.map(
        (address, index) => [endpoint(`10.0.0.${11 + index}:8080`, 1), endpoint(address, weights[index] ?? 1)] as const,
      ),
      [socketAddress('10.0.0.21:8080'), socketAddress(backup)],
      [' interval: 2s', ' interval: 0.1s'],
      [' healthy_threshold: 1', ` healthy_threshold: 1${renderEventLogger(eventFile)}`],
      ['no_traffic_interval: 2s', 'no_traffic_interval: 0.1s'],
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
  const events = () => readFileSync(eventFile, 'utf8')
  // Envoy reports its workers before they listen, and it listens before it has checked every instance.
  const healthy = backup === NOWHERE ? instances.length : instances.length + 1
  await until(() => accepts(port))
  await until(() => events().split('add_healthy_event').length > healthy)
  return { ...createProxy(port, logFile, running.stop), events }
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const accepted = once(socket, 'connect').then(
    () => true,
    () => false,
  )
  return accepted.finally(() => socket.destroy())
}
