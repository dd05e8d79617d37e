import { readFileSync } from 'node:fs'
import { succeed } from './run.ts'

/** Lists the cores that this process may use. In a container, the number of the first core may not be 0. */
export function listCores(): readonly number[] {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return allowed.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}

/** Pins a process and its children, and those that they start later, to cores. */
export async function pin(pid: number, cores: readonly number[]): Promise<void> {
  for (const each of [pid, ...listChildren(pid)]) await succeed('taskset', ['-acp', cores.join(','), String(each)])
}

const listChildren = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)

/** Returns the CPU time of a process in milliseconds. Linux counts it in hundredths of a second. */
export function readCpuMs(pid: number): number {
  const [user = 0, system = 0] = readTimes(pid)
  return 10 * (user + system)
}

/** Returns the CPU time of a process and its children, including the children that have ended, in milliseconds. */
export function readTreeCpuMs(pid: number): number {
  try {
    const times = readTimes(pid).reduce((sum, each) => sum + each, 0)
    return (
      10 * times +
      listChildren(pid)
        .map(readTreeCpuMs)
        .reduce((sum, each) => sum + each, 0)
    )
  } catch {
    // The process has ended, and its parent has its time.
    return 0
  }
}

/** Returns the user and the system time of the process, and of its children that have ended. */
function readTimes(pid: number): number[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).map(Number)
}
