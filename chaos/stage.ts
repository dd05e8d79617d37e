import { existsSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { killApps, type Line, runApp } from '../test/support/app.ts'
import { startDatabaseProxy } from '../test/support/database-proxy.ts'
import type { RunningProxy, StartProxy } from '../test/support/deploy/proxy.ts'
import { createFaultClient } from '../test/support/fault-proxy/client.ts'
import { startFaultProxy } from '../test/support/fault-proxy/start.ts'
import { startFleet } from '../test/support/fleet.ts'
import { testPostgres, testRedis, until } from '../test/support/services.ts'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { startControl } from './control.ts'
import { type Load, startLoad } from './load.ts'
import { startPayments } from './payments.ts'
import { createSignals, type Signal } from './signals.ts'

const root = join(import.meta.dirname, '..')

/** Longest time until the proxy and the load get responses, in milliseconds. */
const START_MS = 60_000

export interface StageInstance {
  /** `host:port`. */
  readonly address: string
  readonly pid: () => number
  readonly lines: () => readonly Line[]
  /** Sends SIGKILL. Resolves when the process has ended. */
  kill(): Promise<unknown>
  /** Starts a new process on the same address. */
  start(): Promise<unknown>
  /** Stops reading the log of the process, so that its pipe fills, and reads it again. */
  readonly log?: { hold(): void; read(): void }
}

/** The environment of a process. */
export type Env = Readonly<Record<string, string>>

/** Servers that an experiment needs in addition to the usual stage. chaos/parts/NAME.ts exports a `StartPart`. */
export interface Part {
  /** Added to the environment of the instances. */
  readonly env?: Env
  /** Added to the variables of the experiment. */
  readonly variables?: Env
  /** Starts three other programs instead of the service. They stop with the part. */
  readonly startInstances?: (env: Env) => Promise<readonly StageInstance[]>
  /** The log of a further instance. Its warnings and errors count as signals. */
  readonly lines?: () => readonly Line[]
  stop?(): Promise<unknown>
}

export interface PartContext {
  /** A directory of the stage, removed at its end. */
  readonly directory: string
  /** A migrated database, behind the fault proxy. */
  readonly databaseUrl: string
  /** The API of the fault proxy. */
  readonly faults: ReturnType<typeof createFaultClient>
}

export type StartPart = (context: PartContext) => Promise<Part>

export interface StageOptions {
  /** The proxy in front of the instances, a folder of deploy/. @default nginx, or haproxy where nginx is missing */
  readonly proxy?: string
  readonly parts?: readonly StartPart[]
}

export interface Stage {
  readonly load: Load
  readonly instances: readonly StageInstance[]
  /** Warnings and errors of the instances and of the proxy, as they arrive. */
  readonly signals: readonly Signal[]
  /** Returns the variables of an experiment, with the current processes. */
  variables(): Env
  /** From now on, `GET /log` of the control counts lines. */
  beginExperiment(): void
  stop(): Promise<void>
}

async function importProxy(proxy?: string): Promise<StartProxy> {
  const name = proxy ?? ['nginx', 'haproxy'].find((each) => existsSync(join(root, 'deploy', each)))
  if (name === undefined) throw new Error('the stage needs deploy/nginx or deploy/haproxy')
  const module = await import(join(root, 'deploy', name, `start-${name}.ts`))
  return module[`start${name[0]?.toUpperCase()}${name.slice(1)}`]
}

/** Applies the migrations. @throws with the output of the command when it fails */
export async function migrate(databaseUrl: string): Promise<void> {
  const env = { DATABASE_URL: databaseUrl }
  const { code, stderr, stdout } = await runApp(['migrate'], { env, artifact: 'bundle' })
  if (code !== 0) throw new Error(`the migrations failed: ${stderr}${stdout}`)
}

async function startService(env: Env): Promise<readonly StageInstance[]> {
  const fleet = await startFleet({ artifact: 'bundle', env })
  return fleet.map((instance) => ({
    ...instance,
    pid: () => instance.app().pid,
    log: { hold: () => instance.app().holdOutput(), read: () => instance.app().readOutput() },
  }))
}

/** Starts the dependencies of the instances behind the fault proxy. Adds a function to `stops` for each of them. */
async function startDependencies(stops: (() => unknown)[]) {
  const started = async <T extends { stop(): unknown }>(starting: Promise<T>): Promise<T> => {
    const server = await starting
    stops.push(server.stop)
    return server
  }
  const database = await started(testPostgres())
  const redis = await started(testRedis())
  const payments = await started(startPayments())
  const faultProxy = await started(startFaultProxy())
  await migrate(database.url)
  const cutter = await started(startDatabaseProxy({ target: database }))
  const faults = createFaultClient(faultProxy.url)
  const behind = async (name: string, url: string) => {
    const { host } = new URL(url)
    return url.replace(host, await faults.add(name, host))
  }
  const env = {
    DATABASE_URL: await behind('database', cutter.url),
    REDIS_URL: await behind('redis', redis.url),
    REDIS_CRITICAL: 'false',
    UPSTREAMS: `payments=${await behind('payments', `http://127.0.0.1:${payments.port}`)}`,
    RATE_LIMIT: '1000000',
    TRUST_PROXY: '127.0.0.0/8',
  }
  return { database, redis, payments, faults, faultsUrl: faultProxy.url, cutter, env }
}

/**
 * Starts PostgreSQL, Redis and the upstream `payments`, each behind the fault proxy under its name (`database`,
 * `redis`, `payments`), three instances of the service, a proxy in front of them and a steady load.
 */
export async function startStage({ proxy, parts: starts = [] }: StageOptions = {}): Promise<Stage> {
  const stops: (() => unknown)[] = []
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    const startProxy = await importProxy(proxy)
    const { database, redis, payments, faults, faultsUrl, cutter, env: usual } = await startDependencies(stops)
    const parts: Part[] = []
    for (const start of starts) {
      const part = await start({ directory: temporaryDirectory('stage'), databaseUrl: usual.DATABASE_URL, faults })
      if (part.stop) stops.push(part.stop)
      parts.push(part)
    }
    const env: Env = Object.assign({ ...usual }, ...parts.map((part) => part.env ?? {}))
    const startInstances = parts.find((part) => part.startInstances)?.startInstances ?? startService
    const instances = await startInstances(env)
    stops.push(killApps)
    const front: RunningProxy = await startProxy({ instances: instances.map(({ address }) => address) })
    stops.push(front.stop)
    const url = `http://${front.host}:${front.port}`
    // Without a time limit, a lost response would hang the start.
    const isServing = () =>
      fetch(`${url}/ping`, { signal: AbortSignal.timeout(2_000) }).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(isServing, START_MS)

    const logs = [...instances, ...parts].flatMap(({ lines }) => (lines ? [lines] : []))
    const signals = createSignals(logs, front)
    stops.push(signals.stop)
    const reader = new pg.Client(database.url)
    await reader.connect()
    stops.push(() => reader.end())
    const load = startLoad(front)
    stops.push(load.stop)
    let begun = instances.map(({ lines }) => lines().length)
    const control = await startControl({
      load: () => load,
      payments,
      cutter,
      readTitles: async () => (await reader.query('select title from notes')).rows.map(({ title }) => title),
      instances,
      countLines: (message) =>
        instances
          .flatMap(({ lines }, index) => lines().slice(begun[index]))
          .filter((line) => line['message'] === message).length,
    })
    stops.push(control.stop)
    await until(() => load.requests.filter(({ status }) => status !== undefined).length > 40, START_MS)

    return {
      load,
      instances,
      signals: signals.list,
      variables: () =>
        Object.assign(
          { BASE_URL: url, STAGE_URL: control.url, FAULTS_URL: faultsUrl },
          { DATABASE_PID: String(database.pid), REDIS_PID: String(redis.pid) },
          ...instances.map(({ address, pid }, index) => ({
            [`INSTANCE_${index + 1}_URL`]: `http://${address}`,
            [`INSTANCE_${index + 1}_PID`]: String(pid()),
          })),
          ...parts.map((part) => part.variables ?? {}),
        ) as Env,
      beginExperiment() {
        begun = instances.map(({ lines }) => lines().length)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
