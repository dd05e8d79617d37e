/*
 * node scripts/run.ts          dist/server.cjs with a local PostgreSQL and Redis (make run)
 * node scripts/run.ts --watch  the sources: restart on save, readable logs (make dev)
 * node scripts/run.ts --beside=file.ts  dist/server.cjs, and what `start` of the file starts beside it
 *
 * Starts a local server only when DATABASE_URL or REDIS_URL is unset. Ctrl-C ends the service first, then its servers.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { withEnvFile } from '#config/load.ts'
import { createReadableLog } from './readable-log.ts'
import { startPostgres } from './services/postgres.ts'
import { startRedis } from './services/redis.ts'
import { endWithThisProcess, freePort, type LocalServer, until } from './services/service.ts'

export interface Served {
  readonly url: string
  readonly adminPort: string
}

export interface Beside {
  /** Printed after the URLs of the service. */
  readonly lines: readonly string[]
  stop(): Promise<void>
}

const watch = process.argv.includes('--watch')
const beside = process.argv.find((arg) => arg.startsWith('--beside='))?.slice('--beside='.length)
process.chdir(dirname(import.meta.dirname))

/** Folders to watch. A watch on a single file ends when an editor replaces the file. */
const WATCHED = ['src', 'config', 'internal', 'pkg'].map((folder) => `--watch-path=${folder}`)
const program = watch ? ['src/main.ts'] : ['dist/server.cjs']

/** Functions that start the local servers, by the variable that replaces each server. */
const LOCAL_SERVERS = {
  DATABASE_URL: () => startPostgres({ directory: resolve('.local/postgres'), port: 5432 }),
  REDIS_URL: () => startRedis({ directory: resolve('.local/redis'), port: 6379 }),
}

function startService(env: NodeJS.ProcessEnv): ChildProcess {
  const isLocal = env['DATABASE_URL'] !== process.env['DATABASE_URL']
  const args = watch ? [...WATCHED, '--watch-preserve-output', isLocal ? 'scripts/dev.ts' : 'src/main.ts'] : program
  const stdout = watch ? 'pipe' : 'inherit'
  // The service has a separate process group, so the terminal sends Ctrl-C to this process only, which forwards it
  // once.
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ['ignore', stdout, 'inherit'] })
  child.stdout?.pipe(createReadableLog())
  return child
}

/** Waits until the service serves, starts the servers of `--beside`, and prints the URLs. */
async function announce({ url, adminPort }: Served, servers: readonly LocalServer[]): Promise<Beside | undefined> {
  await until(async () => (await fetch(`${url}/health/startup`).catch(() => undefined))?.ok === true, 30_000)
  const module: { start(served: Served): Promise<Beside> } | undefined = beside && (await import(resolve(beside)))
  const started = await module?.start({ url, adminPort })
  const requests = ['/ping', '/health', '/health/ready', '/openapi.json'].map((path) => `  curl ${url}${path}`)
  const further = [...servers.map(({ url }) => url), ...(started?.lines ?? [])].map((line) => `  ${line}`)
  const lines = ['', 'Serving. Try:', ...requests, `  ${url}/docs in a browser`, ...(further[0] ? ['with:'] : [])]
  console.error([...lines, ...further, 'Press Ctrl-C to stop the service and its servers.', ''].join('\n'))
  return started
}

async function main(): Promise<number> {
  const given = withEnvFile({ NODE_ENV: 'development', ...process.env })
  const port = given['PORT'] ?? '8080'
  const wanted = Number(port)
  // The service itself reports an invalid port.
  if (wanted > 0 && wanted <= 65_535 && (await freePort(wanted)) !== wanted) {
    throw new Error(`port ${port} is taken: stop the other process, or choose another port (PORT=8081 make run)`)
  }
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: given['NODE_ENV'] }
  if (watch) env['DRAIN_DELAY_MS'] = given['DRAIN_DELAY_MS'] ?? '0'
  const adminPort = given['ADMIN_PORT'] || (beside ? String(await freePort(9464)) : '')
  env['ADMIN_PORT'] = adminPort
  const servers: LocalServer[] = []
  let companions: Beside | undefined
  try {
    // Start the servers in sequence: when another run uses this folder, PostgreSQL fails before Redis starts.
    for (const [name, startServer] of Object.entries(LOCAL_SERVERS)) {
      if (given[name] || given[`${name}_FILE`]) continue
      const server = await startServer()
      servers.unshift(server)
      env[name] = server.url
      if (name === 'DATABASE_URL') {
        const stdio = ['ignore', 'ignore', 'inherit'] as const
        const { status } = spawnSync(process.execPath, [...program, 'migrate'], { env, stdio: [...stdio] })
        // The command has printed the reason.
        if (status !== 0) return status ?? 1
      }
    }
    const child = startService(env)
    const guard = endWithThisProcess(child.pid ?? 0, 'SIGTERM')
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
    // A closing terminal sends SIGHUP. Send SIGTERM instead, because the service reloads its settings on SIGHUP.
    process.on('SIGHUP', () => child.kill('SIGTERM'))
    announce({ url: `http://localhost:${port}`, adminPort }, servers).then(
      (started) => {
        companions = started
      },
      (error: Error) => {
        if (!beside) return
        console.error(error.message)
        child.kill('SIGTERM')
      },
    )
    const code = await new Promise<number>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1)))
    })
    guard.kill('SIGKILL')
    return code
  } finally {
    await companions?.stop()
    for (const server of servers) await server.stop()
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  },
)
