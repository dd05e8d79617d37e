import { listCores, pin } from '../test/support/cpu.ts'

const cores = listCores()

/** The server and its clients each have a core, so they do not compete for one. */
export const SERVER_CPU = cores[0] ?? 0
export const CLIENT_CPU = cores[1] ?? SERVER_CPU

type Command = readonly [string, ...string[]]

export const onCpu = (cpu: number, command: Command): Command => ['taskset', '-c', String(cpu), ...command]

/** Pins this process, which sends probes, to the core of the clients. Disposing unpins the process. */
export async function stayWithClients(): Promise<AsyncDisposable> {
  await pin(process.pid, [CLIENT_CPU])
  return { [Symbol.asyncDispose]: () => pin(process.pid, cores) }
}
