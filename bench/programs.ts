import type { Environment } from './hung-stores.ts'

/** A server that listens on HOST and PORT and serves GET /ping. */
export interface Program {
  readonly command: readonly [string, ...string[]]
  readonly env?: Environment
}

/** Programs that the benchmark builds (build-service.ts, build-gin.ts). `app` is a copy of dist/app. */
export const BUILT = { app: '.local/bench/app', service: '.local/bench/server.cjs', gin: '.local/bench/gin' }

export const node = (file: string): Program => ({ command: [process.execPath, file] })

interface ProgramOptions {
  /** The URLs of a database and a Redis. */
  readonly stores: Environment
  /** The endpoint of a collector of traces. */
  readonly collector: Environment
  /** Includes the peer in Go, which must be built. */
  readonly gin: boolean
}

/** Lists the programs to measure. */
export function createPrograms({ stores, collector, gin }: ProgramOptions) {
  const record = (share: string): Program => ({
    command: [BUILT.app],
    env: { ...collector, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: share },
  })
  return {
    raw: node('bench/peers/raw.cjs'),
    'raw with duties': node('bench/peers/raw-with-duties.cjs'),
    service: { command: [BUILT.app] },
    'service without metrics': { command: [BUILT.app], env: { ADMIN_PORT: '0' } },
    'service, traces of 0 %': record('0'),
    'service, traces of 1 %': record('0.01'),
    'service, traces of 100 %': record('1'),
    'service with stores': { command: [BUILT.app], env: stores },
    'service as a bundle': node('dist/server.cjs'),
    'service from its sources': node('src/main.ts'),
    'service with POST /echo': node(BUILT.service),
    'fastify bare': node('bench/peers/fastify-bare.cjs'),
    'fastify with duties': node('bench/peers/fastify-with-duties.cjs'),
    'express bare': node('bench/peers/express-bare.cjs'),
    'express, etag off': node('bench/peers/express-etag-off.cjs'),
    'express as usual': node('bench/peers/express-usual.cjs'),
    'nest as usual': node('bench/peers/nest.cjs'),
    gin: gin ? { command: [BUILT.gin], env: { GIN_MODE: 'release' } } : undefined,
    'gin with its log': gin ? { command: [BUILT.gin], env: { GIN_MODE: 'release', GIN: 'default' } } : undefined,
  } as const satisfies Record<string, Program | undefined>
}

export type Programs = ReturnType<typeof createPrograms>
export type ProgramName = keyof Programs

/** Picks the programs of these names that exist. */
export function pick(programs: Programs, names: readonly ProgramName[]): Record<string, Program> {
  return Object.fromEntries(names.flatMap((name) => (programs[name] ? [[name, programs[name]]] : [])))
}

/** The input of each part of the benchmark. */
export interface Bench {
  readonly programs: Programs
  /** Measures only the rows of the budgets, in fewer and shorter rounds. */
  readonly quick: boolean
}
