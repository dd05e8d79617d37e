import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findOnPath } from './path.ts'
import { freePort, type LocalServer, launch } from './service.ts'

export interface RedisOptions {
  readonly directory: string
  /** The preferred port. Another port is used when it is taken. @default any free port */
  readonly port?: number
  readonly password?: string
  /** Loads the data of the directory, and saves it every minute and at a stop. @default false */
  readonly keepData?: boolean
}

export async function startRedis(options: RedisOptions): Promise<LocalServer> {
  const { directory, port: preferred, password, keepData = false } = options
  mkdirSync(directory, { recursive: true })
  const port = await freePort(preferred)
  const save = keepData ? '60 1' : ''
  const settings = { port, bind: '127.0.0.1', dir: directory, save, ...(password && { requirepass: password }) }
  const server = await launch({
    command: findServer() ?? installServer(),
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    readyPattern: /Ready to accept connections/,
    logFile: join(directory, 'redis.log'),
    stopSignal: 'SIGTERM',
  })
  return { ...server, port, url: `redis://${password ? `:${password}@` : ''}127.0.0.1:${port}` }
}

const findServer = () => findOnPath('redis-server') ?? findOnPath('valkey-server')

/** The commands by package manager. */
const INSTALL_COMMANDS = {
  'apt-get': 'apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server',
  apk: 'apk add --no-cache redis',
  dnf: 'dnf install -y -q redis || dnf install -y -q valkey',
  brew: 'brew install redis',
}

/** Installs Redis as root, with a sudo that needs no password, or with Homebrew. @throws with advice when that fails */
function installServer(): string {
  const advice = 'Redis is missing: install redis-server or valkey-server, or set REDIS_URL'
  const [manager, command] = Object.entries(INSTALL_COMMANDS).find(([name]) => findOnPath(name)) ?? []
  if (command === undefined) throw new Error(advice)
  console.error(`installing Redis: ${command}`)
  const sudo = process.getuid?.() === 0 || manager === 'brew' ? [] : ['sudo', '-n']
  const [file = '', ...args] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', command]
  try {
    execFileSync(file, args)
  } catch (cause) {
    throw new Error(`${advice}\n  ${command}`, { cause })
  }
  return findServer() ?? 'redis-server'
}
