import { existsSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../scripts/services/postgres.ts'
import { startRedis } from '../scripts/services/redis.ts'
import { freePort, until } from '../scripts/services/service.ts'
import { createChildren } from '../test/resilience/children.ts'
import { listCores, pin } from '../test/support/cpu.ts'
import { unprivileged } from '../test/support/deploy/directories.ts'
import type { StartProxy } from '../test/support/deploy/proxy.ts'
import { succeed } from '../test/support/run.ts'
import type { LinkProcess, Target } from './evidence.ts'
import { placeProcesses } from './placement.ts'

export interface StageOptions {
  /** Number of instances. Several instances need nginx. @default 1 */
  readonly instances?: number
  /** Additional variables of the instances. */
  readonly env?: Readonly<Record<string, string>>
  /** Runs after the migrations. @default nothing */
  readonly sql?: string | undefined
}

export interface Stage extends AsyncDisposable {
  readonly target: Target
}

/** Longest start of a process, in milliseconds. */
const START_MS = 60_000

/** Delay of the responses of the upstream `payments`, in milliseconds. */
const PAYMENTS_DELAY_MS = 20

const ARTIFACT = [process.execPath, 'dist/server.cjs'] as const
/** A service may have deleted one of these files. The link then lacks nginx or the upstream. */
const NGINX = join(import.meta.dirname, '../deploy/nginx/start-nginx.ts')
const PAYMENTS = join(import.meta.dirname, '../test/payments/programs/instance.ts')

/** Returns `system`, or starts the full link. The disposal ends the full link, and leaves `system` running. */
export const openStage = async ({ system, ...options }: StageOptions & { readonly system?: Target | undefined }) =>
  system ? { target: system, [Symbol.asyncDispose]: async () => {} } : startStage(options)

/** Starts the full link: nginx, the instances of the artifact, PostgreSQL, Redis, and the upstream `payments`. */
export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const { instances = 1, env = {}, sql } = options
  const { directory } = unprivileged('load')
  await using stack = new AsyncDisposableStack()
  const postgres = await startPostgres({ directory: join(directory, 'postgres') })
  stack.defer(() => postgres.stop())
  const redis = await startRedis({ directory: join(directory, 'redis') })
  stack.defer(() => redis.stop())
  await succeed(ARTIFACT[0], [ARTIFACT[1], 'migrate'], { env: { DATABASE_URL: postgres.url } })
  if (sql !== undefined) await query(postgres.url, sql)

  const children = stack.use(createChildren())
  const processes: LinkProcess[] = [
    { name: 'postgres', kind: 'database', pid: postgres.pid },
    { name: 'redis', kind: 'redis', pid: redis.pid },
  ]
  const paymentsPort = await freePort()
  if (existsSync(PAYMENTS)) {
    const command = [process.execPath, PAYMENTS, String(paymentsPort), String(PAYMENTS_DELAY_MS)] as const
    processes.push({ name: 'payments', kind: 'upstream', pid: (await children.start(command, {})).pid })
    await untilOk(`http://127.0.0.1:${paymentsPort}/health/ready`)
  }

  async function startInstance(index: number) {
    const [port, adminPort] = [await freePort(), await freePort()]
    // The logs go to a file: through a pipe, this process would need CPU for them.
    const log = join(directory, `instance-${index}.log`)
    const { pid } = await children.start(['/bin/sh', '-c', 'exec "$@" >"$0"', log, ...ARTIFACT], {
      NODE_ENV: 'production',
      TRUST_PROXY: '127.0.0.1',
      // High enough to refuse no request, so that each request counts in Redis.
      RATE_LIMIT: '1000000',
      ...env,
      HOST: '127.0.0.1',
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      ...(existsSync(PAYMENTS) && { UPSTREAMS: `payments=http://127.0.0.1:${paymentsPort}` }),
    })
    await untilOk(`http://127.0.0.1:${port}/health/ready`)
    processes.push({ name: `service ${index + 1}`, kind: 'service', pid })
    return { address: `127.0.0.1:${port}`, metrics: `http://127.0.0.1:${adminPort}/metrics` }
  }
  const services = await Promise.all(Array.from({ length: instances }, (_, index) => startInstance(index)))
  let address = services[0]?.address ?? ''
  if (existsSync(NGINX)) {
    const { startNginx } = (await import(NGINX)) as { readonly startNginx: StartProxy }
    const nginx = await startNginx({ instances: services.map((service) => service.address) })
    stack.defer(() => nginx.stop())
    address = `127.0.0.1:${nginx.port}`
    processes.push({ name: 'nginx', kind: 'proxy', pid: nginx.pid ?? 0 })
  } else if (instances > 1) throw new Error('several instances need nginx')
  const generatorCore = await place(processes)
  const owned = stack.move()
  return {
    target: {
      url: `http://${address}`,
      metrics: services.map(({ metrics }) => metrics),
      databaseUrl: postgres.url,
      processes,
      ...(generatorCore !== undefined && { generatorCore }),
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const untilOk = (url: string) =>
  until(async () => {
    const response = await fetch(url).catch(() => undefined)
    return response?.ok === true
  }, START_MS)

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

/** Pins the processes. Resolves with the core of the generator. */
async function place(processes: readonly LinkProcess[]): Promise<number | undefined> {
  const placement = process.platform === 'linux' ? placeProcesses(processes, listCores()) : undefined
  for (const { pid, cores } of placement?.pins ?? []) await pin(pid, cores)
  return placement?.generatorCore
}
