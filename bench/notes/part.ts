import pg from 'pg'
import { startPostgres } from '../../scripts/services/postgres.ts'
import { startPgbouncer } from '../../test/support/pgbouncer.ts'
import { startProber } from '../../test/support/prober.ts'
import { succeed } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { buildGin } from '../build-gin.ts'
import { buildService } from '../build-service.ts'
import { SERVER_CPU, stayWithClients } from '../cpu.ts'
import { inRounds, type Measurement } from '../measurement.ts'
import { type Bench, BUILT, node, type Program } from '../programs.ts'
import { startServer } from '../server.ts'
import { type WrkOptions, wrk } from '../wrk.ts'

const OPERATIONS = {
  read: 'GET /v1/notes/{id}',
  list: 'GET /v1/notes?limit=20',
  create: 'POST /v1/notes',
  update: 'PATCH /v1/notes/{id} with if-match',
} as const

type Operation = keyof typeof OPERATIONS

const SERVICE: Program = { command: [BUILT.app] }
const FASTIFY = node('bench/notes/fastify.cjs')

/** Lists the programs. The programs of a quick run come first. */
async function listPrograms(quick: boolean): Promise<Record<string, Program>> {
  const programs = { limit: node('bench/notes/raw.cjs'), service: SERVICE }
  if (quick) return programs
  const gin = await buildGin('bench/notes/gin', GIN)
  return {
    ...programs,
    ...(gin && { 'gin with pgx': { command: [GIN], env: { GIN_MODE: 'release' } } as const }),
    'fastify with pg': FASTIFY,
    'express with pg': node('bench/notes/express.cjs'),
    'nest with typeorm': node('bench/notes/nest.cjs'),
  }
}

const GIN = '.local/bench/gin-with-pgx'
const POOL = '.local/bench/server-with-pool.cjs'

const CONNECTIONS = 32

/**
 * Number of notes for each run. The warm-up uses separate notes, because its last updates may be in progress when the
 * measurement starts.
 */
const NOTES = 10_000

const SEED = `
  truncate notes;
  insert into notes (id, title, text, created_at)
    select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Note ' || n, repeat('text ', 20),
      now() - n * interval '1 second'
    from generate_series(0, ${2 * NOTES - 1}) n;
  analyze notes`

/** Makes reads of one note in fifty take 200 ms, for every program. */
const SLOW_ROWS = `
  alter table notes rename to all_notes;
  create view notes as select * from all_notes where version > 0 or pg_sleep(0.2)::text = '';
  update all_notes set version = 0 where substr(title, 6)::int % 50 = 0`

/** Measures the programs with a real PostgreSQL, which shares a core with wrk. */
async function measureNotes({ quick }: Bench): Promise<Measurement[]> {
  await using _ = await stayWithClients()
  const postgres = await startPostgres({ directory: temporaryDirectory('bench-database') })
  const connect = (program: Program, env: Program['env'] = {}): Program => ({
    ...program,
    env: { ...program.env, DATABASE_URL: postgres.url, ...env },
  })
  await succeed(BUILT.app, ['migrate'], { env: { DATABASE_URL: postgres.url } })
  const database = new pg.Client({ connectionString: postgres.url })
  await database.connect()
  const programs = Object.entries(await listPrograms(quick))
  const rows = Object.fromEntries(programs.map(([row, program]) => [row, connect(program)]))

  const load = (url: string, operation: Operation, first: number, options: Pick<WrkOptions, 'seconds' | 'yielding'>) =>
    wrk(url, {
      script: 'bench/notes/requests.lua',
      connections: CONNECTIONS,
      env: { OPERATION: operation, NOTES: String(NOTES), FIRST: String(first) },
      ...options,
    })

  async function throughput(program: Program, operation: Operation): Promise<number> {
    await database.query(SEED)
    await using server = await startServer(program, { cpu: SERVER_CPU })
    await load(server.url, operation, NOTES, { seconds: 2 })
    return await load(server.url, operation, 0, { seconds: quick ? 1 : 3 })
  }

  async function driveSlow(program: Program): Promise<{ readonly p99Ms: number; readonly residentMb: number }> {
    await using server = await startServer(program, { cpu: SERVER_CPU })
    const loaded = load(server.url, 'read', 0, { seconds: 10, yielding: true })
    const prober = startProber(`${server.url}/v1/notes/00000000-0000-4000-8000-000000000001`, 10, 100)
    await loaded
    const { statuses, p99Ms } = await prober.stop()
    if (Object.keys(statuses).join() !== '200') throw new Error(`reads had the statuses ${JSON.stringify(statuses)}`)
    return { p99Ms, residentMb: await server.readResidentMb() }
  }

  const rounds = quick ? 3 : 5

  async function measurePooled(): Promise<Measurement> {
    // PgBouncer 1.21 and later keeps named statements. The service uses them only with DATABASE_PREPARE=true.
    const pooler = await startPgbouncer(postgres.url, { max_prepared_statements: '200' })
    const pooled = { DATABASE_URL: pooler.url }
    const programs = {
      service: connect(SERVICE),
      'service, pooled': connect(SERVICE, pooled),
      'service, pooled with names': connect(SERVICE, { ...pooled, DATABASE_PREPARE: 'true' }),
      'fastify with pg': connect(FASTIFY),
      'fastify with pg, pooled': connect(FASTIFY, pooled),
    }
    const values = await inRounds(rounds, programs, (program) => throughput(program, 'read'))
    await pooler.stop()
    return {
      name: 'notes, pooled read',
      title: `${OPERATIONS.read} through PgBouncer in transaction mode, which shares the core of the database`,
      unit: 'requests/s',
      base: 'fastify with pg, pooled',
      rows: values,
    }
  }

  async function measureSlow(): Promise<Measurement[]> {
    await database.query(SEED)
    await database.query(SLOW_ROWS)
    await buildService(POOL, {
      module: '/database.ts',
      importer: '/postgres/index.ts',
      file: 'bench/notes/kysely-driver.cjs',
    })
    const bundles = {
      'service as a bundle': connect(node('dist/server.cjs')),
      'bundle with the pool of pg': connect(node(POOL)),
    }
    const driven = await inRounds(rounds, { ...rows, ...bundles }, driveSlow)
    const listValues = (name: 'p99Ms' | 'residentMb') =>
      Object.fromEntries(Object.entries(driven).map(([row, values]) => [row, values.map((value) => value[name])]))
    return [
      {
        name: 'notes, p99',
        title: '99th percentile of reads while one read in fifty takes 200 ms',
        unit: 'ms',
        base: 'bundle with the pool of pg',
        rows: listValues('p99Ms'),
      },
      {
        name: 'notes, memory',
        title: 'Resident memory after 10 s of reads of which one in fifty takes 200 ms',
        unit: 'MB',
        base: 'bundle with the pool of pg',
        rows: listValues('residentMb'),
      },
    ]
  }

  const measurements: Measurement[] = []
  for (const [operation, title] of Object.entries(OPERATIONS) as [Operation, string][]) {
    measurements.push({
      name: `notes, ${operation}`,
      title: `${title}, over ${CONNECTIONS} connections`,
      unit: 'requests/s',
      base: 'limit',
      rows: await inRounds(rounds, rows, (program) => throughput(program, operation)),
    })
    if (quick) break
  }
  if (!quick) measurements.push(await measurePooled(), ...(await measureSlow()))
  await database.end()
  await postgres.stop()
  return measurements
}

export const parts = { notes: measureNotes }
