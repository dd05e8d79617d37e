import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { NOWHERE, type ProxyOptions, proxy, type RunningProxy, routeThrough } from './proxy.ts'
import type { Route } from './restarts.ts'
import { debianTool } from './tools.ts'
import { unprivileged } from './unprivileged.ts'

/** HAProxy with the files of deploy/haproxy as they are; they take addresses from the environment. */
export async function startHaproxy(options: ProxyOptions): Promise<RunningProxy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'round_robin', checkIntervalMs = 100 } = options
  const command = await debianTool('haproxy', 'haproxy')
  const { directory, spawnOptions } = unprivileged('haproxy')
  const logFile = join(directory, 'haproxy.log')
  const port = await freePort()
  const files = ['haproxy.cfg', 'strategies.cfg']
  for (const file of files) copyFileSync(join('deploy/haproxy', file), join(directory, file))
  const env: Record<string, string> = {
    LISTEN: `127.0.0.1:${port}`,
    BACKUP: backup,
    STRATEGY: strategy,
    CHECK_INTERVAL: `${checkIntervalMs}ms`,
  }
  for (const [index, address] of instances.entries()) {
    env[`APP_${index + 1}`] = address
    env[`WEIGHT_${index + 1}`] = String(weights[index] ?? 1)
  }
  const running = await launch({
    command,
    args: ['-W', ...files.flatMap((file) => ['-f', file])],
    spawnOptions: { ...spawnOptions, env },
    readyPattern: /Loading success/,
    logFile,
    stopSignal: 'SIGTERM',
  })
  return proxy(port, logFile, running.stop)
}

export const HAPROXY: Route = { name: 'haproxy', open: (fleet) => routeThrough(startHaproxy, fleet) }
