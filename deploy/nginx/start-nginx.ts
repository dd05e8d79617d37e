import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { copyWith } from '../../test/support/deploy/copy-with.ts'
import { createProxy, NOWHERE, type ProxyOptions, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { unprivileged } from '../../test/support/deploy/unprivileged.ts'
import { debianTool } from '../../test/support/tools.ts'

/** Starts nginx with the files of this folder, in which it changes only the addresses, the weights and the strategy. */
export async function startNginx(options: ProxyOptions): Promise<RunningProxy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'round_robin', reloads } = options
  const command = await debianTool('nginx', 'nginx')
  const { directory, spawnOptions } = unprivileged('nginx')
  const logFile = join(directory, 'nginx.log')
  const port = await freePort()
  const server = (address: string, weight: number) => `server ${address} weight=${weight} `
  copyWith('deploy/nginx', join(directory, 'conf'), {
    'servers.conf': instances.map((address, index) => [
      server(`10.0.0.${11 + index}:8080`, 1),
      server(address, weights[index] ?? 1),
    ]),
    'backup.conf': [['10.0.0.21:8080', backup]],
    'strategies.conf': [],
    'nginx.conf': [
      ['listen 8000;', `listen 127.0.0.1:${port};`],
      ['#keepalive_timeout 0;', reloads ? 'keepalive_timeout 0;' : ''],
      ['proxy_pass http://round_robin;', `proxy_pass http://${strategy};`],
    ],
  })
  const files = ['-p', directory, '-c', join(directory, 'conf/nginx.conf')]
  const running = await launch({
    command,
    args: [...files, '-g', 'daemon off;'],
    spawnOptions,
    readyPattern: /start worker process \d+/,
    logFile,
    stopSignal: 'SIGTERM',
  })
  const servers = join(directory, 'conf/servers.conf')
  return {
    ...createProxy(port, logFile, running.stop),
    bridge: { BRIDGE_SINK: `nginx:${servers}`, BRIDGE_NGINX: [command, ...files].join(' ') },
  }
}
