import { readFileSync } from 'node:fs'
import { succeed } from '../test/support/run.ts'

/** The cores that this process may use. In a container, the number of the first core may not be 0. */
const ALLOWED = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
const cores = ALLOWED.split(',').flatMap((range) => {
  const [first = 0, last = first] = range.split('-').map(Number)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
})

/** The server and its clients each have a core, so they do not compete for one. */
export const SERVER_CPU = cores[0] ?? 0
export const CLIENT_CPU = cores[1] ?? SERVER_CPU

type Command = readonly [string, ...string[]]

export const onCpu = (cpu: number, command: Command): Command => ['taskset', '-c', String(cpu), ...command]

/** Pins this process, which sends probes, to the core of the clients. Disposing unpins the process. */
export async function stayWithClients(): Promise<AsyncDisposable> {
  const move = (cpus: string) => succeed('taskset', ['-acp', cpus, String(process.pid)])
  await move(String(CLIENT_CPU))
  return { [Symbol.asyncDispose]: async () => void (await move(ALLOWED)) }
}
