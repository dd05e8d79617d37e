import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, launch, until } from '../../scripts/services/service.ts'
import type { ListedProxy } from '../../test/discovery/pair.ts'
import { copyWith, unprivileged } from '../../test/support/deploy/directories.ts'
import { createProxy } from '../../test/support/deploy/proxy.ts'
import { debianTool } from '../../test/support/tools.ts'

const WORKERS = 2

/** Starts nginx with the files of this folder, in which it changes the address and the number of workers. */
export async function startNginx(): Promise<ListedProxy> {
  const command = await debianTool('nginx', 'nginx')
  const { directory, spawnOptions } = unprivileged('nginx')
  const logFile = join(directory, 'nginx.log')
  const port = await freePort()
  const servers = join(directory, 'conf/servers.conf')
  copyWith('deploy/nacos', join(directory, 'conf'), {
    'nginx.conf': [
      ['listen 8000;', `listen 127.0.0.1:${port};`],
      ['worker_processes auto;', `worker_processes ${WORKERS};`],
    ],
    'servers.conf': [],
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
  const listed = async () =>
    readFileSync(servers, 'utf8')
      .split('\n')
      .flatMap((line) => /^server (\S+) weight/.exec(line)?.[1] ?? [])
      .sort()
  // For 100 ms of a reload, the old workers accept connections too. The first workers have no instance.
  const readLog = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '')
  const listWorkers = () => [...readLog().matchAll(/start worker process (\d+)/g)].map(([, pid]) => pid)
  await until(() => listWorkers().length === WORKERS)
  const ends = listWorkers().map((pid) => `worker process ${pid} exited`)
  const hasReloaded = () => ends.every((end) => readLog().includes(end))
  return {
    ...createProxy(port, logFile, running.stop),
    bridge: { BRIDGE_SINK: `nginx:${servers}`, BRIDGE_NGINX: [command, ...files].join(' ') },
    listed,
    // nginx has no health checks.
    usable: async () => (hasReloaded() ? listed() : []),
  }
}
