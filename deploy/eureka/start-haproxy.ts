import { copyFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort, launch } from '../../scripts/services/service.ts'
import type { ListedProxy } from '../../test/discovery/pair.ts'
import { unprivileged } from '../../test/support/deploy/directories.ts'
import { createProxy } from '../../test/support/deploy/proxy.ts'
import { debianTool } from '../../test/support/tools.ts'

const BACKEND = 'my-service'

/** Starts HAProxy with the unchanged file of this folder, which reads addresses from the environment. */
export async function startHaproxy(): Promise<ListedProxy> {
  const command = await debianTool('haproxy', 'haproxy')
  const { directory, spawnOptions } = unprivileged('haproxy')
  const logFile = join(directory, 'haproxy.log')
  const socket = join(directory, 'admin.sock')
  const port = await freePort()
  copyFileSync('deploy/eureka/haproxy.cfg', join(directory, 'haproxy.cfg'))
  const running = await launch({
    command,
    args: ['-W', '-f', 'haproxy.cfg'],
    spawnOptions: {
      ...spawnOptions,
      // A busy machine delays the response to a check.
      env: { LISTEN: `127.0.0.1:${port}`, ADMIN_SOCKET: socket, CHECK_INTERVAL: '100ms', CHECK_TIMEOUT: '10s' },
    },
    readyPattern: /Loading success/,
    logFile,
    stopSignal: 'SIGTERM',
  })

  /** Returns the addresses of the slots whose status begins with one of these words. */
  async function find(statuses: RegExp): Promise<readonly string[]> {
    const connection = connect(socket)
    connection.write('show stat\n')
    const [header = '', ...rows] = (await text(connection)).split('\n')
    const names = header.replace('# ', '').split(',')
    const at = (row: readonly string[], name: string) => row[names.indexOf(name)] ?? ''
    return rows
      .map((row) => row.split(','))
      .filter((row) => at(row, 'pxname') === BACKEND && at(row, 'svname').startsWith('slot'))
      .filter((row) => statuses.test(at(row, 'status')))
      .map((row) => at(row, 'addr'))
      .sort()
  }

  return {
    ...createProxy(port, logFile, running.stop),
    bridge: { BRIDGE_SINK: `haproxy:${socket}/${BACKEND}` },
    listed: () => find(/^(?!MAINT)/),
    usable: () => find(/^(UP|no check)/),
  }
}
