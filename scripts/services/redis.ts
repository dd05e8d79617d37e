import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findOnPath } from './path.ts'
import { freePort, type LocalService, launch } from './service.ts'

export interface RedisServiceOptions {
  readonly directory: string
  /** Used when it is free. @default any */
  readonly port?: number
  readonly password?: string
}

export async function startRedis({ directory, port: preferred, password }: RedisServiceOptions): Promise<LocalService> {
  mkdirSync(directory, { recursive: true })
  const port = await freePort(preferred)
  const server = await launch({
    command: redisServer(),
    args: [
      ['--port', String(port)],
      ['--bind', '127.0.0.1'],
      ['--dir', directory],
      ['--save', ''],
      ['--daemonize', 'no'],
      password === undefined ? [] : ['--requirepass', password],
    ].flat(),
    readyPattern: /Ready to accept connections/,
    logFile: join(directory, 'redis.log'),
    stopSignal: 'SIGTERM',
  })
  const credentials = password === undefined ? '' : `:${password}@`
  return { ...server, port, url: `redis://${credentials}127.0.0.1:${port}` }
}

const INSTALLERS = [
  {
    tool: 'apt-get',
    command:
      'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server',
  },
  { tool: 'apk', command: 'apk add --no-cache redis' },
  { tool: 'dnf', command: 'dnf install -y -q redis || dnf install -y -q valkey' },
  { tool: 'brew', command: 'brew install redis' },
]

/** From the PATH, else installed with the system's package manager where that needs no password. */
function redisServer(): string {
  const find = () => findOnPath('redis-server') ?? findOnPath('valkey-server')
  const found = find()
  if (found !== undefined) return found
  const installer = INSTALLERS.find(({ tool }) => findOnPath(tool))
  const byHand = 'redis-server (or valkey-server) is needed on the PATH: install it, or set REDIS_URL'
  if (installer === undefined) throw new Error(byHand)
  const root = process.getuid?.() === 0 || installer.tool === 'brew'
  console.error(`installing Redis: ${installer.command}`)
  try {
    const [file = '', ...prefix] = root ? ['sh', '-c'] : ['sudo', '-n', 'sh', '-c']
    execFileSync(file, [...prefix, installer.command], { stdio: ['ignore', 'ignore', 'inherit'] })
  } catch (cause) {
    throw new Error(`${byHand}\n  ${installer.command}`, { cause })
  }
  const installed = find()
  if (installed === undefined) throw new Error(byHand)
  return installed
}
