import { Agent } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePort, until } from '../../scripts/services/service.ts'
import { createChildren } from '../resilience/children.ts'
import { type SendOptions, send } from '../support/send.ts'

/** Longest start of a program, in milliseconds. */
const START_MS = 20_000

const statsOf = async (port: number) => JSON.parse((await send({ port, path: '/stats' })).body)

interface Program {
  readonly port: number
  readonly pid: number
  /** The log lines, with the times of `performance.now()` at which they arrived. */
  readonly lines: readonly { readonly message: string; readonly at: number }[]
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<void>
}

/** Returns functions that start programs. Disposing kills the programs that still run. */
export function createPrograms() {
  const children = createChildren()

  async function start(port: number, args: readonly string[], env: Record<string, string>, path: string) {
    const { output, pid, kill } = await children.start([process.execPath, ...args], env)
    const lines: { readonly message: string; readonly at: number }[] = []
    createInterface({ input: output }).on('line', (line) => {
      lines.push({ message: JSON.parse(line).message, at: performance.now() })
    })
    await until(async () => (await send({ port, path })).status === 200, START_MS)
    return { port, pid, lines, kill }
  }

  const file = (name: string) => join(import.meta.dirname, 'programs', name)

  const programs = {
    /** Starts an instance of the upstream, on a free port unless it is a restart. */
    async startInstance(delayMs: number, given?: number): Promise<Program & { stats(): Promise<InstanceStats> }> {
      const port = given ?? (await freePort())
      const program = await start(port, [file('instance.ts'), String(port), String(delayMs)], {}, '/health/ready')
      return { ...program, stats: () => statsOf(port) }
    },

    /** Starts the service. `instances` are the ports of the upstream. */
    async startService(instances: readonly number[]) {
      const [port, adminPort] = [await freePort(), await freePort()]
      const env = {
        HOST: '127.0.0.1',
        PORT: String(port),
        ADMIN_PORT: String(adminPort),
        TRUST_PROXY: '127.0.0.0/8',
        UPSTREAMS: `payments=${instances.map((each) => `http://127.0.0.1:${each}`).join('|')}`,
      }
      const program = await start(port, ['dist/server.cjs'], env, '/ping')
      return {
        ...program,
        async stats(): Promise<ClientStats> {
          const { body } = await send({ port: adminPort, path: '/metrics' })
          const counts = [...body.matchAll(/^http_client_request_duration_seconds_count\{(.*)\} (\d+)/gm)]
          const total = (rows: typeof counts) => rows.reduce((sum, [, , count]) => sum + Number(count), 0)
          return {
            attempts: total(counts),
            failed: total(counts.filter(([, labels = '']) => !labels.includes('error_type=""'))),
          }
        },
      }
    },

    async startNaive(instances: readonly number[]): Promise<Program & { stats(): Promise<ClientStats> }> {
      const port = await freePort()
      const program = await start(port, [file('naive.ts'), String(port), ...instances.map(String)], {}, '/ping')
      return { ...program, stats: () => statsOf(port) }
    },
  }

  return {
    ...programs,
    /** Starts an instance with each delay, and the service or the naive client in front of them. */
    async startChain(kind: 'service' | 'naive', delaysMs: readonly number[]) {
      const instances = []
      for (const delayMs of delaysMs) instances.push(await programs.startInstance(delayMs))
      const ports = instances.map(({ port }) => port)
      return {
        instances,
        ports,
        client: await (kind === 'service' ? programs.startService : programs.startNaive)(ports),
      }
    },
    [Symbol.asyncDispose]: () => children[Symbol.asyncDispose](),
  }
}

export interface InstanceStats {
  readonly requests: number
  /** Requests whose connection closed before the response. */
  readonly cancelled: number
}

export interface ClientStats {
  /** Requests to instances, without probes. */
  readonly attempts: number
  readonly failed: number
}

export const createAgent = () => new Agent({ keepAlive: true, maxSockets: 2_000 })

const POST = {
  method: 'POST',
  path: '/v1/payments',
  body: '{"amount":1250,"currency":"EUR"}',
} as const

/** Returns the options of a request: every second one is a POST with an idempotency key. */
export const mixed = (index: number): SendOptions =>
  index % 2 === 0
    ? { path: '/v1/payments/pay_1' }
    : { ...POST, headers: { 'content-type': 'application/json', 'idempotency-key': `key-${index}` } }
