import { setTimeout } from 'node:timers/promises'
import { startProber } from '../test/support/prober.ts'
import { SERVER_CPU, stayWithClients } from './cpu.ts'
import { inRounds, type Measurement } from './measurement.ts'
import { type Bench, type Program, type ProgramName, pick } from './programs.ts'
import { startServer } from './server.ts'
import { type WrkOptions, wrk } from './wrk.ts'

/** The rows of the budgets come first, then the peers. */
const PING: Names = {
  quick: ['raw', 'raw with duties', 'service'],
  full: [
    'fastify bare',
    'fastify with duties',
    'express bare',
    'express, etag off',
    'express as usual',
    'nest as usual',
    'gin',
    'gin with its log',
  ],
}
const OBSERVED: Names = {
  quick: ['raw', 'service', 'service, traces of 1 %'],
  full: ['service without metrics', 'service, traces of 0 %', 'service, traces of 100 %'],
}
const ECHO: Names = {
  quick: ['fastify with duties', 'service with POST /echo'],
  full: ['raw with duties', 'fastify bare', 'express bare', 'express as usual'],
}

interface Names {
  readonly quick: readonly ProgramName[]
  /** The rows of a full run, in addition to the quick rows. */
  readonly full: readonly ProgramName[]
}

const NOTE = JSON.stringify({ title: 'Something to remember', tags: ['one', 'two', 'three', 'four'], count: 3 })

/** The probes of orchestrators, proxies and monitors together. */
const PROBES_PER_SECOND = 100

/**
 * The measurement begins after the first seconds, in which V8 compiles hot functions. The threads of V8 share the core
 * of the server, and occupy it for tens of milliseconds.
 */
const SETTLED_AFTER_S = 6

interface Drive extends Pick<WrkOptions, 'body' | 'refused'> {
  readonly program: Program
  readonly path: string
}

export async function measureThroughput({ programs, quick }: Bench): Promise<Measurement[]> {
  await using _ = await stayWithClients()
  const rounds = quick ? 3 : 5
  const warmUp = { seconds: 2 }
  const pickNames = ({ quick: few, full }: Names) => pick(programs, quick ? few : [...few, ...full])

  // Each measurement has a new process, so that earlier measurements do not affect it.
  async function throughput({ program, path, ...options }: Drive): Promise<number> {
    await using server = await startServer(program, { cpu: SERVER_CPU })
    await wrk(server.url + path, { ...options, ...warmUp })
    // Without await, the server would end before the measurement.
    return await wrk(server.url + path, { ...options, seconds: quick ? 1 : 3 })
  }

  async function livenessP99(program: Program): Promise<number> {
    await using server = await startServer(program, { cpu: SERVER_CPU })
    const load = wrk(`${server.url}/ping`, { seconds: SETTLED_AFTER_S + (quick ? 2 : 10), yielding: true })
    const probe = () => startProber(`${server.url}/health/live`, 1_000 / PROBES_PER_SECOND, PROBES_PER_SECOND)
    // V8 compiles functions again when the first probe comes after the load, so probes begin with the load.
    const early = probe()
    await Promise.race([load, setTimeout(SETTLED_AFTER_S * 1_000)])
    await early.stop()
    const prober = probe()
    await load
    const { statuses, p99Ms } = await prober.stop()
    if (Object.keys(statuses).join() !== '200')
      throw new Error(`the statuses of the probes are ${JSON.stringify(statuses)}`)
    return p99Ms
  }

  const drives = (picked: Record<string, Program>, options: Omit<Drive, 'program'>) =>
    Object.fromEntries(Object.entries(picked).map(([row, program]): [string, Drive] => [row, { program, ...options }]))
  const { raw, 'service with stores': withStores } = programs

  return [
    {
      name: 'ping',
      title: 'GET /ping',
      unit: 'requests/s',
      base: 'raw',
      rows: await inRounds(rounds, drives(pickNames(PING), { path: '/ping' }), throughput),
    },
    {
      name: 'observability',
      title: 'GET /ping with metrics and with traces',
      unit: 'requests/s',
      base: 'raw',
      rows: await inRounds(rounds, drives(pickNames(OBSERVED), { path: '/ping' }), throughput),
    },
    {
      name: 'probes',
      title: 'Probes of the service while its database and Redis hang',
      unit: 'requests/s',
      base: 'raw',
      rows: await inRounds(
        rounds,
        {
          raw: { program: raw, path: '/health/live' },
          '/health/live': { program: withStores, path: '/health/live' },
          // The status is 503, because both stores are critical.
          '/health/ready': { program: withStores, path: '/health/ready', refused: true },
        },
        throughput,
      ),
    },
    {
      name: 'liveness p99',
      title: `99th percentile of GET /health/live, ${PROBES_PER_SECOND} a second, while GET /ping is at saturation`,
      unit: 'ms',
      base: 'raw',
      // A quick run has no budget for this figure, so one round only tests the measurement.
      rows: await inRounds(quick ? 1 : rounds, pick(programs, ['raw', 'service with stores']), livenessP99),
    },
    {
      name: 'echo',
      title: 'POST /echo: JSON in, validated by zod, 1 KB of JSON out',
      unit: 'requests/s',
      base: 'fastify with duties',
      rows: await inRounds(rounds, drives(pickNames(ECHO), { path: '/echo', body: NOTE }), throughput),
    },
  ]
}
