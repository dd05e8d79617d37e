import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, launch, unprivilegedUser } from '../../scripts/services/service.ts'
import { unprivileged } from './deploy/directories.ts'
import { unpackFromTrixie } from './install.ts'
import { succeed } from './run.ts'
import { debianTool } from './tools.ts'

export interface Pooler {
  readonly url: string
  stop(): Promise<void>
}

/** PgBouncer 1.21 and later keeps named statements. Debian 12 has 1.18. */
async function findPgbouncer(needsNames: boolean): Promise<[string, ...string[]]> {
  const tool = await debianTool('pgbouncer', 'pgbouncer')
  if (!needsNames) return [tool]
  const [, minor] = /^PgBouncer 1\.(\d+)/.exec(await succeed(tool, ['--version'])) ?? []
  return Number(minor) >= 21 ? [tool] : unpackFromTrixie('pgbouncer', 'usr/sbin/pgbouncer')
}

/**
 * Starts Debian's PgBouncer in transaction mode in front of a database.
 *
 * @param settings added to its defaults. `max_prepared_statements` may need the PgBouncer of Debian 13.
 */
export async function startPgbouncer(url: string, settings: Readonly<Record<string, string>> = {}): Promise<Pooler> {
  const [command, ...args] = await findPgbouncer('max_prepared_statements' in settings)
  const { directory } = unprivileged('pgbouncer')
  const port = await freePort()
  const { hostname, port: serverPort, username, password } = new URL(url)
  const configuration = join(directory, 'pgbouncer.ini')
  const users = join(directory, 'users.txt')
  const lines = { listen_addr: '127.0.0.1', listen_port: port, auth_file: users, unix_socket_dir: '', ...settings }
  writeFileSync(users, `"${username}" "${password}"\n`)
  writeFileSync(
    configuration,
    [
      '[databases]',
      `* = host=${hostname} port=${serverPort}`,
      '[pgbouncer]',
      'pool_mode = transaction',
      ...Object.entries(lines).map((line) => line.join(' = ')),
      '',
    ].join('\n'),
  )
  const { stop } = await launch({
    command,
    // A program of Debian 13 is in the cache of this user, so PgBouncer changes the user itself.
    args: [...args, ...(unprivilegedUser ? ['--user', 'nobody'] : []), configuration],
    spawnOptions: { cwd: directory },
    readyPattern: /process up/,
    logFile: join(directory, 'pgbouncer.log'),
    stopSignal: 'SIGTERM',
  })
  return { url: Object.assign(new URL(url), { port: String(port) }).href, stop }
}

/**
 * Variables of a service that uses this database: through PgBouncer when E2E_POOLER=pgbouncer, also with named
 * statements when E2E_POOLER=pgbouncer-named. After a restart of the database, PgBouncer would refuse clients for 15
 * seconds by default.
 */
export async function databaseEnv({ url }: { readonly url: string }): Promise<{
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}> {
  const way = process.env['E2E_POOLER']
  if (way === undefined) return { env: { DATABASE_URL: url }, stop: async () => {} }
  const isNamed = way === 'pgbouncer-named'
  const settings = { server_login_retry: '1', ...(isNamed && { max_prepared_statements: '200' }) }
  const { url: pooled, stop } = await startPgbouncer(url, settings)
  const env = { DATABASE_URL: pooled, MIGRATION_DATABASE_URL: url, ...(isNamed && { DATABASE_PREPARE: 'true' }) }
  return { env, stop }
}
