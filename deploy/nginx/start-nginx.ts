import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { copyWith, unprivileged } from '../../test/support/deploy/directories.ts'
import { createProxy, NOWHERE, type ProxyOptions, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { debianTool } from '../../test/support/tools.ts'

export interface NginxOptions extends ProxyOptions {
  /** The longest time that a worker serves after a reload. @default that of nginx.conf */
  readonly shutdownTimeout?: string
}

/**
 * Starts nginx with the files of this folder, in which it changes only the addresses, their number, the weights and the
 * strategy.
 */
export async function startNginx(options: NginxOptions): Promise<RunningProxy> {
  const {
    instances,
    backup,
    weights = [1, 1, 1],
    strategy = 'round_robin',
    reloads,
    shutdownTimeout = '240s',
  } = options
  const command = await debianTool('nginx', 'nginx')
  const { directory, spawnOptions } = unprivileged('nginx')
  const logFile = join(directory, 'nginx.log')
  const port = await freePort()
  const server = (address: string, weight: number) => `server ${address} weight=${weight} `
  const servers = instances.map((address, index) => server(address, weights[index] ?? 1))
  /** The file has three lines. A line without an instance becomes a comment. The last line has all other instances. */
  const line = (index: number) =>
    servers.slice(index, index === 2 ? undefined : index + 1).join('max_fails=1 fail_timeout=1s;\n') || '# '
  copyWith('deploy/nginx', join(directory, 'conf'), {
    'servers.conf': [0, 1, 2].map((index) => [server(`10.0.0.${11 + index}:8080`, 1), line(index)]),
    // nginx never takes out the only server of a group.
    'backup.conf': [['server 10.0.0.21:8080', backup || instances.length > 1 ? `server ${backup ?? NOWHERE}` : '# ']],
    'strategies.conf': [],
    'nginx.conf': [
      ['listen 8000;', `listen 127.0.0.1:${port};`],
      ['#keepalive_timeout 0;', reloads ? 'keepalive_timeout 0;' : ''],
      ['worker_shutdown_timeout 240s;', `worker_shutdown_timeout ${shutdownTimeout};`],
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
  return {
    ...createProxy(port, logFile, running.stop),
    pid: running.pid,
    bridge: {
      BRIDGE_SINK: `nginx:${join(directory, 'conf/servers.conf')}`,
      BRIDGE_NGINX: [command, ...files].join(' '),
    },
  }
}
