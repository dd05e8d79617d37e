import { setTimeout } from 'node:timers/promises'
import { SERVER_CPU } from './cpu.ts'
import { inRounds, type Measurement } from './measurement.ts'
import { type Bench, type ProgramName, pick } from './programs.ts'
import { startServer } from './server.ts'
import { wrk } from './wrk.ts'

const ROWS: readonly ProgramName[] = ['express bare', 'service']

export async function measureMemory({ programs, quick }: Bench): Promise<Measurement[]> {
  const seconds = quick ? 3 : 10
  const samples = await inRounds(quick ? 1 : 5, pick(programs, ROWS), async (program) => {
    await using server = await startServer(program, { cpu: SERVER_CPU })
    // A program continues to allocate shortly after its start.
    await setTimeout(1_000)
    const idle = await server.readResidentMb()
    await wrk(`${server.url}/ping`, { seconds })
    return { idle, load: await server.readResidentMb() }
  })
  const selectRows = (state: 'idle' | 'load') =>
    Object.fromEntries(Object.entries(samples).map(([row, values]) => [row, values.map((value) => value[state])]))
  const common = { unit: 'MB', base: 'express bare' } as const
  return [
    {
      name: 'memory, idle',
      title: 'Resident memory a second after the first response',
      ...common,
      rows: selectRows('idle'),
    },
    {
      name: 'memory, load',
      title: `Resident memory after ${seconds} s of GET /ping at saturation`,
      ...common,
      rows: selectRows('load'),
    },
  ]
}
