import { Resolver } from 'node:dns/promises'
import { join } from 'node:path'
import { freePort, launch } from '../../scripts/services/service.ts'
import { copyWith, unprivileged } from '../../test/support/deploy/directories.ts'
import { debianTool } from '../../test/support/tools.ts'

const NAME = 'app.my-service.internal'

export interface NameServer {
  /** Resolves the name of the service. @returns the addresses in the order of the response */
  resolve(): Promise<string[]>
  stop(): Promise<void>
}

/** Starts BIND with the files of this folder, in which it changes only the addresses of the instances. */
export async function startNamed(hosts: readonly string[]): Promise<NameServer> {
  const command = await debianTool('named', 'bind9')
  const { directory, spawnOptions } = unprivileged('named')
  const port = await freePort()
  const conf = join(directory, 'conf')
  const addresses = hosts.map((host, index): [string, string] => [`10.0.0.${11 + index}`, host])
  const zone = 'my-service.zone'
  copyWith('deploy/dns', conf, { 'named.conf': [], [zone]: addresses })
  const running = await launch({
    command,
    args: ['-g', '-c', 'named.conf', '-p', String(port), '-n', '1'],
    spawnOptions: { ...spawnOptions, cwd: conf },
    readyPattern: / running\n/,
    logFile: join(directory, 'named.log'),
    stopSignal: 'SIGTERM',
  })
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${port}`])
  return {
    resolve: () => resolver.resolve4(NAME),
    stop: () => running.stop(),
  }
}
