import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, launch, unprivilegedUser } from '../../scripts/services/service.ts'
import { debianTool } from './tools.ts'

export interface Pooler {
  readonly url: string
  stop(): Promise<void>
}

/** Starts Debian's PgBouncer in transaction mode in front of a database. @param settings added to its defaults */
export async function startPgbouncer(url: string, settings: Readonly<Record<string, string>> = {}): Promise<Pooler> {
  const tool = await debianTool('pgbouncer', 'pgbouncer')
  const directory = mkdtempSync(join(tmpdir(), 'pgbouncer-'))
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
  if (unprivilegedUser) {
    for (const path of [directory, configuration, users]) chownSync(path, unprivilegedUser.uid, unprivilegedUser.gid)
  }
  const { stop } = await launch({
    command: tool,
    args: [configuration],
    spawnOptions: { cwd: directory, ...unprivilegedUser },
    readyPattern: /process up/,
    logFile: join(directory, 'pgbouncer.log'),
    stopSignal: 'SIGTERM',
  })
  return {
    url: Object.assign(new URL(url), { port: String(port) }).href,
    async stop() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/**
 * Variables of a service that uses this database, through PgBouncer when E2E_POOLER=pgbouncer. After a restart of the
 * database, PgBouncer would refuse clients for 15 seconds by default.
 */
export async function databaseEnv({ url }: { readonly url: string }): Promise<{
  readonly env: Readonly<Record<string, string>>
  stop(): Promise<void>
}> {
  if (process.env['E2E_POOLER'] !== 'pgbouncer') return { env: { DATABASE_URL: url }, stop: async () => {} }
  const { url: pooled, stop } = await startPgbouncer(url, { server_login_retry: '1' })
  return { env: { DATABASE_URL: pooled, MIGRATION_DATABASE_URL: url }, stop }
}
