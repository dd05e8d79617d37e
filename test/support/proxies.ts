import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, launch, unprivilegedUser } from '../../scripts/services/service.ts'
import { debianTool } from './tools.ts'

export interface ProxyOptions {
  /** `host:port` of the three instances. */
  readonly instances: readonly string[]
  /** `host:port`. @default an address that refuses */
  readonly backup?: string
  readonly weights?: readonly number[]
  readonly strategy?: string
  /** HAProxy's, in milliseconds. @default 100 */
  readonly checkIntervalMs?: number
}

export interface RunningProxy {
  readonly host: string
  readonly port: number
  readonly url: string
  /** All that it has printed. */
  log(): string
  stop(): Promise<void>
}

/** Refuses: nothing listens there. */
const NOWHERE = '127.0.0.1:1'

/** A directory of a user without rights, and how to start a program as that user. */
export function unprivileged(prefix: string) {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(directory, 0o755)
  own(directory)
  return { directory, spawnOptions: { cwd: directory, ...unprivilegedUser } }
}

function own(directory: string): void {
  if (unprivilegedUser) chownSync(directory, unprivilegedUser.uid, unprivilegedUser.gid)
}

/** A copy of a folder of deploy/ with changes that an operator makes. @throws when a text to change is not there */
export function copyWith(
  folder: string,
  to: string,
  changes: Readonly<Record<string, readonly [string, string][]>>,
): void {
  mkdirSync(to)
  own(to)
  for (const file of readdirSync(folder)) {
    let content = readFileSync(join(folder, file), 'utf8')
    for (const [from, by] of changes[file] ?? []) {
      if (content.split(from).length !== 2) throw new Error(`${folder}/${file} has «${from}» not once`)
      content = content.replace(from, by)
    }
    writeFileSync(join(to, file), content)
  }
}

/** nginx with the files of deploy/nginx, where only the addresses, the weights and the strategy are others. */
export async function startNginx(options: ProxyOptions): Promise<RunningProxy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'round_robin' } = options
  const command = await debianTool('nginx', 'nginx')
  const { directory, spawnOptions } = unprivileged('nginx-')
  const logFile = join(directory, 'nginx.log')
  const port = await freePort()
  const server = (address: string, weight: number) => `server ${address} weight=${weight} `
  copyWith('deploy/nginx', join(directory, 'conf'), {
    'servers.conf': instances.map((address, index) => [
      server(`10.0.0.${11 + index}:8080`, 1),
      server(address, weights[index] ?? 1),
    ]),
    'backup.conf': [['10.0.0.21:8080', backup]],
    'nginx.conf': [
      ['listen 8000;', `listen 127.0.0.1:${port};`],
      ['proxy_pass http://round_robin;', `proxy_pass http://${strategy};`],
    ],
  })
  const running = await launch({
    command,
    args: ['-p', directory, '-c', join(directory, 'conf/nginx.conf'), '-g', 'daemon off;'],
    spawnOptions,
    readyPattern: /start worker process \d+/,
    logFile,
    stopSignal: 'SIGTERM',
  })
  return proxy(port, directory, logFile, running.stop)
}

/** HAProxy with the files of deploy/haproxy as they are; they take addresses from the environment. */
export async function startHaproxy(options: ProxyOptions): Promise<RunningProxy> {
  const { instances, backup = NOWHERE, weights = [1, 1, 1], strategy = 'round_robin', checkIntervalMs = 100 } = options
  const command = await debianTool('haproxy', 'haproxy')
  const { directory, spawnOptions } = unprivileged('haproxy-')
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
  return proxy(port, directory, logFile, running.stop)
}

function proxy(port: number, directory: string, logFile: string, end: () => Promise<void>): RunningProxy {
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    log: () => readFileSync(logFile, 'utf8'),
    async stop() {
      await end()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
