/*
 * node scripts/run.ts          dist/server.cjs with a local PostgreSQL and Redis (make run)
 * node scripts/run.ts --watch  the sources: restart on save, readable logs (make dev); INSPECT=1 opens a debugger
 * node scripts/run.ts --beside=file.ts  dist/server.cjs, and what `start` of the file starts beside it
 *
 * Starts a local server only when DATABASE_URL or REDIS_URL is unset. Ctrl-C ends the service first, then its servers.
 */
import { spawnSync } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { withEnvFile } from '#config/load.ts'
import { createReadableLog } from './readable-log.ts'
import { type Command, runService } from './service.ts'
import { startPostgres } from './services/postgres.ts'
import { startRedis } from './services/redis.ts'
import { freePort, type LocalServer, until } from './services/service.ts'
import { watchSources } from './watch.ts'

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

const FOLDERS = ['src', 'config', 'internal', 'pkg']
const program = watch ? 'src/main.ts' : 'dist/server.cjs'

/** Functions that start the local servers, by the variable that replaces each server. */
const LOCAL_SERVERS = {
  DATABASE_URL: () => startPostgres({ directory: resolve('.local/postgres'), port: 5432 }),
  REDIS_URL: () => startRedis({ directory: resolve('.local/redis'), port: 6379, keepData: true }),
}

/** `INSPECT=1` opens the debugger of the service on Node's default port, `INSPECT=9230` on another port. */
function listInspectorArgs(inspect: string | undefined): readonly string[] {
  if (!inspect) return []
  return [`--inspect=127.0.0.1:${inspect === '1' ? 9229 : inspect}`]
}

/** Waits until the service serves, starts the servers of `--beside`, and prints the URLs. */
async function announce({ url, adminPort }: Served, servers: readonly LocalServer[]): Promise<Beside | undefined> {
  await until(async () => (await fetch(`${url}/health/startup`).catch(() => undefined))?.ok === true, 30_000)
  const module: { start(served: Served): Promise<Beside> } | undefined = beside && (await import(resolve(beside)))
  const started = await module?.start({ url, adminPort })
  const requests = ['/ping', '/health', '/health/ready', '/openapi.json'].map((path) => `  curl ${url}${path}`)
  const further = [...servers.map(({ url }) => url), ...(started?.lines ?? [])].map((line) => `  ${line}`)
  const pages = [`  ${url}/ and ${url}/docs in a browser`]
  const lines = ['', 'Serving. Try:', ...requests, ...pages, ...(further[0] ? ['with:'] : [])]
  console.error([...lines, ...further, 'Press Ctrl-C to stop the service and its servers.', ''].join('\n'))
  return started
}

/** Reads the environment and `.env`. */
const readEnvironment = () => withEnvFile({ NODE_ENV: 'development', ...process.env })

async function checkPort(port: string): Promise<void> {
  const wanted = Number(port)
  // The service itself reports an invalid port.
  if (wanted > 0 && wanted <= 65_535 && (await freePort(wanted)) !== wanted) {
    throw new Error(
      `port ${port} is taken: stop the other process, or choose another port (PORT=8081 make ${watch ? 'dev' : 'run'})`,
    )
  }
}

async function main(): Promise<number> {
  await checkPort(readEnvironment()['PORT'] ?? '8080')
  const freeAdminPort = beside ? String(await freePort(9464)) : ''
  const servers = new Map<string, LocalServer>()
  let companions: Beside | undefined
  let isAnnounced = false

  /** Starts the local servers that the service needs and that do not run yet, because `.env` may have changed. */
  async function prepare(): Promise<Command> {
    const given = readEnvironment()
    const env: NodeJS.ProcessEnv = { ...process.env, NODE_ENV: given['NODE_ENV'] }
    env['ADMIN_PORT'] = given['ADMIN_PORT'] || freeAdminPort
    delete env['INSPECT']
    if (watch) env['DRAIN_DELAY_MS'] = given['DRAIN_DELAY_MS'] ?? '0'
    // A restart compiles only the files that have changed.
    if (watch) env['NODE_COMPILE_CACHE'] ??= resolve('.local/compile-cache')
    // Start the servers in sequence: when another run uses this folder, PostgreSQL fails before Redis starts.
    for (const [name, startServer] of Object.entries(LOCAL_SERVERS)) {
      if (given[name] || given[`${name}_FILE`]) continue
      const server = servers.get(name) ?? (await startServer())
      servers.set(name, server)
      env[name] = server.url
    }
    const isLocal = env['DATABASE_URL'] !== process.env['DATABASE_URL']
    const script = watch && isLocal ? 'scripts/dev.ts' : program
    return { args: [...listInspectorArgs(process.env['INSPECT']), script], env }
  }

  try {
    const { env } = await prepare()
    if (servers.has('DATABASE_URL')) {
      const { status } = spawnSync(process.execPath, [program, 'migrate'], {
        env,
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      // The command has printed the reason.
      if (status !== 0) return status ?? 1
    }
    const service = runService({
      prepare,
      onStart() {
        if (isAnnounced) return
        const { PORT: port = '8080', ADMIN_PORT: adminPort = freeAdminPort } = readEnvironment()
        const list = [...servers.values()].reverse()
        announce({ url: `http://localhost:${port}`, adminPort: adminPort || freeAdminPort }, list).then(
          (started) => {
            isAnnounced = true
            companions = started
          },
          (error: Error) => {
            if (!beside) return
            console.error(error.message)
            service.stop('SIGTERM')
          },
        )
      },
      ...(watch && { log: createReadableLog(), changes: watchSources({ folders: FOLDERS, files: ['.env'] }) }),
    })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => service.stop(signal))
    // A closing terminal sends SIGHUP. Send SIGTERM instead, because the service reloads its settings on SIGHUP.
    process.on('SIGHUP', () => service.stop('SIGTERM'))
    return await service.ended
  } finally {
    await companions?.stop()
    for (const server of [...servers.values()].reverse()) await server.stop()
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  },
)
