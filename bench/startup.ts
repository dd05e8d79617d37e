import { inRounds, type Measurement } from './measurement.ts'
import { type Bench, type ProgramName, pick } from './programs.ts'
import { startServer } from './server.ts'

/** What the budgets are about comes first, and then the peers. */
const QUICK: readonly ProgramName[] = ['raw', 'service', 'service with stores', 'service from its sources']
const FULL: readonly ProgramName[] = [
  ...QUICK,
  'service as a bundle',
  'fastify bare',
  'fastify with duties',
  'express bare',
  'express as usual',
  'nest as usual',
  'gin',
]

export async function measureStartup({ programs, quick }: Bench): Promise<Measurement[]> {
  const rows = pick(programs, quick ? QUICK : FULL)
  const measure = async (round: number) =>
    inRounds(round, rows, async (program) => {
      await using server = await startServer(program)
      return server.startedInMs
    })
  // The first time fills the caches of the file system.
  await measure(1)
  return [
    {
      name: 'start-up',
      title: 'From spawn to the first 200 of GET /ping, on all cores',
      unit: 'ms',
      base: 'raw',
      rows: await measure(quick ? 10 : 40),
    },
  ]
}
