import type { LinkProcess } from './evidence.ts'

/** Smallest number of cores with which pinning helps: the generator and an instance get one each, and two are left. */
const MIN_CORES = 4

export interface Placement {
  readonly generatorCore: number
  readonly pins: readonly { readonly pid: number; readonly cores: readonly number[] }[]
}

/**
 * Gives the generator and each instance a core of their own, and the rest of the cores to the other processes, so that
 * they do not compete. Further instances use the rest too. Returns undefined for fewer than four cores.
 */
export function placeProcesses(processes: readonly LinkProcess[], all: readonly number[]): Placement | undefined {
  const [generatorCore, ...cores] = all.toReversed()
  if (generatorCore === undefined || all.length < MIN_CORES) return undefined
  const owners = processes.filter(({ kind }) => kind === 'service').slice(0, cores.length - 1)
  const rest = cores.slice(owners.length)
  const pins = processes.map((each) => {
    const own = cores[owners.indexOf(each)]
    return { pid: each.pid, cores: own === undefined ? rest : [own] }
  })
  return { generatorCore, pins }
}
