import { availableParallelism } from 'node:os'
import { succeed } from '../test/support/run.ts'

/** One core for the server and another for its clients, so that neither takes from the other. */
export const SERVER_CPU = 0
export const CLIENT_CPU = 1

type Command = readonly [string, ...string[]]

export const onCpu = (cpu: number, command: Command): Command => ['taskset', '-c', String(cpu), ...command]

/** Keeps this process where the clients are until disposed of: it probes, and would wake up on the server's core. */
export async function stayWithClients(): Promise<AsyncDisposable> {
  const move = (cpus: string) => succeed('taskset', ['-acp', cpus, String(process.pid)])
  await move(String(CLIENT_CPU))
  return { [Symbol.asyncDispose]: async () => void (await move(ALL_CPUS)) }
}

const ALL_CPUS = `0-${availableParallelism() - 1}`
