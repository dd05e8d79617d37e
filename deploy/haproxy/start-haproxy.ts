import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { unprivileged } from '../../test/support/deploy/directories.ts'
import { createProxy, NOWHERE, type ProxyOptions, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { debianTool } from '../../test/support/tools.ts'

/** Starts HAProxy with the unchanged files of this folder, which read addresses from the environment. */
export async function startHaproxy(options: ProxyOptions): Promise<RunningProxy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'round_robin' } = options
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
    CHECK_INTERVAL: '100ms',
    // A busy machine delays the response to a check.
    CHECK_TIMEOUT: '1s',
    ...options.env,
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
  return createProxy(port, logFile, running.stop)
}
