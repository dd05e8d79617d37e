import { startLiveStores } from './live-stores.ts'
import { inRounds, type Measurement } from './measurement.ts'
import { type Bench, BUILT, type Program, type ProgramName, pick } from './programs.ts'
import { startServer } from './server.ts'

/** The programs of the budgets come first, then the peers. */
const QUICK: readonly ProgramName[] = ['raw', 'service', 'service from its sources']
const FULL: readonly ProgramName[] = [
  ...QUICK,
  'service with stores',
  'service as a bundle',
  'fastify bare',
  'fastify with duties',
  'express bare',
  'express as usual',
  'nest as usual',
  'gin',
]

export async function measureStartup({ programs, quick }: Bench): Promise<Measurement[]> {
  await using stores = await startLiveStores(BUILT.app)
  const { raw, service } = programs
  const live = { ...service, env: stores.env }

  async function measure(name: string, path: string, rows: Readonly<Record<string, Program>>): Promise<Measurement> {
    const start = async (program: Program) => {
      await using server = await startServer(program, { path })
      return server.startedInMs
    }
    // The first round fills the caches of the file system.
    await inRounds(1, rows, start)
    const title = `From spawn to the first 200 of GET ${path}, on all cores`
    return { name, title, unit: 'ms', base: 'raw', rows: await inRounds(quick ? 10 : 40, rows, start) }
  }

  return [
    await measure('start-up, live', '/health/live', { raw, service, 'service with live stores': live }),
    await measure('start-up, ping', '/ping', pick(programs, quick ? QUICK : FULL)),
    await measure('start-up, ready', '/health/ready', { raw, service, 'service with live stores': live }),
  ]
}
