/*
 * node scripts/run.ts          dist/server.cjs with a local PostgreSQL and Redis (make run)
 * node scripts/run.ts --watch  the sources: restart on save, readable logs (make dev)
 *
 * A server is started only where DATABASE_URL or REDIS_URL is unset. Ctrl-C ends all processes: the
 * service first, then the servers under it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import pretty from 'pino-pretty'
import { withEnvFile } from '#config/load.ts'
import { startPostgres } from './services/postgres.ts'
import { startRedis } from './services/redis.ts'
import { endWithThisProcess, freePort, type LocalService, until } from './services/service.ts'

const watch = process.argv.includes('--watch')
const root = dirname(import.meta.dirname)
process.chdir(root)

/** Folders to watch. A watch on a single file ends when an editor replaces the file. */
const WATCHED = ['src', 'config', 'internal', 'pkg'].map((folder) => `--watch-path=${folder}`)
const program = watch ? ['src/main.ts'] : ['--enable-source-maps', 'dist/server.cjs']
const say = (text: string) => process.stderr.write(`${text}\n`)
const stateOf = (name: string) => join(root, '.local', name)

async function startMissing(given: Readonly<Record<string, string | undefined>>) {
  const missing = (name: string) => !given[name] && !given[`${name}_FILE`]
  // One after the other: where the first refuses, as it does beside another run in this folder, nothing is left over.
  const database = missing('DATABASE_URL')
    ? await startPostgres({ directory: stateOf('postgres'), port: 5432 })
    : undefined
  try {
    const redis = missing('REDIS_URL') ? await startRedis({ directory: stateOf('redis'), port: 6379 }) : undefined
    return { database, redis }
  } catch (error) {
    await database?.stop()
    throw error
  }
}

function start(environment: NodeJS.ProcessEnv): ChildProcess {
  // A separate process group: only this process receives Ctrl-C from the terminal, and forwards it once.
  const isLocal = environment['DATABASE_URL'] !== process.env['DATABASE_URL']
  const args = watch ? [...WATCHED, '--watch-preserve-output', isLocal ? 'scripts/dev.ts' : 'src/main.ts'] : program
  const child = spawn(process.execPath, args, {
    env: environment,
    detached: true,
    stdio: ['ignore', watch ? 'pipe' : 'inherit', 'inherit'],
  })
  child.stdout?.pipe(pretty({ ignore: 'pid,service,version', translateTime: 'SYS:HH:MM:ss.l', singleLine: true }))
  return child
}

async function announce(port: string, services: readonly (LocalService | undefined)[]): Promise<void> {
  const base = `http://localhost:${port}`
  await until(async () => (await fetch(`${base}/health/startup`).catch(() => undefined))?.ok === true, 30_000)
  const urls = ['/ping', '/health', '/health/ready', '/openapi.json'].map((path) => `  curl ${base}${path}`)
  urls.push(`  ${base}/docs in a browser`)
  const running = services.flatMap((service) => service?.url ?? []).map((url) => `  ${url}`)
  say(
    [
      '',
      'Serving. Try:',
      ...urls,
      ...(running.length > 0 ? ['with:', ...running] : []),
      'Ctrl-C ends all of it.',
      '',
    ].join('\n'),
  )
}

async function main(): Promise<number> {
  const given = withEnvFile({ NODE_ENV: 'development', ...process.env })
  const port = given['PORT'] ?? '8080'
  if ((await freePort(Number(port))) !== Number(port) && port !== '0') {
    throw new Error(`port ${port} is taken: stop what listens there, or choose another one (PORT=8081 make run)`)
  }
  const { database, redis } = await startMissing(given)
  const services = [redis, database]
  const environment = {
    ...process.env,
    NODE_ENV: given['NODE_ENV'],
    ...(database && { DATABASE_URL: database.url }),
    ...(redis && { REDIS_URL: redis.url }),
    ...(watch && { DRAIN_DELAY_MS: given['DRAIN_DELAY_MS'] ?? '0' }),
  }
  try {
    if (database)
      execFileSync(process.execPath, [...program, 'migrate'], {
        env: environment,
        stdio: ['ignore', 'ignore', 'inherit'],
      })
    const child = start(environment)
    const guard = endWithThisProcess(child.pid ?? 0, 'SIGTERM')
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
    // The terminal was closed.
    process.on('SIGHUP', () => child.kill('SIGTERM'))
    const exited = new Promise<number>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1)))
    })
    announce(port, services).catch(() => {})
    const code = await exited
    guard.kill('SIGKILL')
    return code
  } finally {
    for (const service of services) await service?.stop()
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error))
    process.exit(1)
  },
)
