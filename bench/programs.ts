import type { Environment } from './hung-stores.ts'

/** A server that listens on HOST and PORT and answers GET /ping. */
export interface Program {
  readonly command: readonly [string, ...string[]]
  readonly env?: Environment
}

/** Made here for the measurements, see build-service.ts and build-gin.ts; `app` is dist/app as it is installed. */
export const BUILT = { app: '.local/bench/app', service: '.local/bench/server.cjs', gin: '.local/bench/gin' }

const node = (file: string): Program => ({ command: [process.execPath, file] })

/** Everything that is measured. `stores` are the URLs of a database and a Redis; without `gin` there is none. */
export function createPrograms({ stores, gin }: { stores: Environment; gin: boolean }) {
  return {
    raw: node('bench/peers/raw.cjs'),
    'raw with duties': node('bench/peers/raw-with-duties.cjs'),
    service: { command: [BUILT.app] },
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
    'notes: limit': node('bench/peers/notes/raw.cjs'),
    'notes: fastify with pg': node('bench/peers/notes/fastify.cjs'),
    'notes: express with pg': node('bench/peers/notes/express.cjs'),
    'notes: nest with typeorm': node('bench/peers/notes/nest.cjs'),
    'gin with its log': gin ? { command: [BUILT.gin], env: { GIN_MODE: 'release', GIN: 'default' } } : undefined,
  } as const satisfies Record<string, Program | undefined>
}

export type Programs = ReturnType<typeof createPrograms>
export type ProgramName = keyof Programs

/** The programs of these names that are there. */
export function pick(programs: Programs, names: readonly ProgramName[]): Record<string, Program> {
  return Object.fromEntries(names.flatMap((name) => (programs[name] ? [[name, programs[name]]] : [])))
}

/** What each part of the benchmark is given. */
export interface Bench {
  readonly programs: Programs
  /** Fewer and shorter rounds of what the budgets are about. */
  readonly quick: boolean
}
