import type { Evidence } from './evidence.ts'
import type { StepResult } from './measure.ts'

/** The resource that limits the rate. `generator` means that the measurement says nothing about the system. */
export type Resource =
  | 'generator'
  | 'pool'
  | 'database CPU'
  | 'service CPU'
  | 'proxy CPU'
  | 'upstream CPU'
  | 'Redis CPU'
  | 'bulkhead'
  | 'machine CPU'

export interface Bottleneck {
  readonly resource: Resource
  /** One sentence with the figures. */
  readonly reason: string
}

/** The part of a step that names the resource. */
export type Measured = Pick<StepResult, 'p99Ms' | 'evidence'>

/** A resource that uses at least this share of its core, or of the cores of the machine, is saturated. */
const SATURATED = 0.9
/** When other programs use more than this share of the machine's cores, a step has no verdict about the machine. */
export const OTHERS = 0.5
/** The pool is full when at least this share of its open connections is in use. */
const FULL = 0.8
/** A database that uses at most this share of the machine's cores can serve more connections. */
const LOW = 0.7
/** Smallest lag of the generator that can distort a measurement, in milliseconds. */
const MIN_LAG_MS = 20
/** Largest share of the 99th percentile that the lag of the generator may explain. */
const LAG_SHARE = 0.2

const KINDS = {
  proxy: 'proxy CPU',
  service: 'service CPU',
  redis: 'Redis CPU',
  upstream: 'upstream CPU',
} as const

/** Returns the saturated resource of one step with its reason, or undefined when no resource is saturated. */
export function findBottleneck({ p99Ms, evidence }: Measured): Bottleneck | undefined {
  const rules = [findGenerator, findPool, findBulkhead, findDatabase, findProcess, findMachine, findLoop]
  for (const rule of rules) {
    const found = rule(evidence, p99Ms)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Returns the bottleneck of the first step that has one. Skips steps without a verdict, unless no other step has a
 * bottleneck. @param steps in the order of their rates
 */
export function findFirstBottleneck<Step extends Measured>(
  steps: readonly Step[],
): (Bottleneck & { readonly step: Step }) | undefined {
  const found = steps.flatMap((step) => {
    const bottleneck = findBottleneck(step)
    return bottleneck === undefined ? [] : [{ ...bottleneck, step }]
  })
  return found.find(({ resource }) => resource !== 'generator') ?? found[0]
}

type Rule = (evidence: Evidence, p99Ms: number) => Bottleneck | undefined

const findGenerator: Rule = ({ generator: { lagMs, cpu = 0 } }, p99Ms) => {
  if (cpu >= SATURATED) return { resource: 'generator', reason: `the generator used ${show(cpu)} cores: no verdict` }
  if (lagMs <= Math.max(MIN_LAG_MS, LAG_SHARE * p99Ms)) return undefined
  return { resource: 'generator', reason: `the generator sent its requests up to ${ms(lagMs)} late: no verdict` }
}

/** All connections are in use and operations wait, while the database could do more. */
const findPool: Rule = ({ pool, processes = [], machine, database, loop }) => {
  if (pool === undefined || pool.pending < 1 || pool.used < FULL * pool.open) return undefined
  const cpu = processes.find(({ kind }) => kind === 'database')?.cpu
  if (cpu !== undefined && cpu >= LOW * (machine?.cores ?? 1)) return undefined
  // A busy event loop also delays the release of connections. Then the backends wait for their client.
  const events = Object.entries(database ?? {}).filter(([event]) => event !== 'CPU' && !event.startsWith('Client:'))
  const waiting = events.reduce((sum, [, count]) => sum + count, 0)
  if (waiting < pool.used / 2 && (loop?.utilization ?? 0) >= LOW) return undefined
  const [longest] = events.toSorted(([, a], [, b]) => b - a)
  return {
    resource: 'pool',
    reason: [
      `${show(pool.pending)} operations waited for a connection on average, ${show(pool.used)} connections were in use`,
      ...(pool.timeouts > 0 ? [`${pool.timeouts} operations got no connection in time`] : []),
      ...(cpu === undefined ? [] : [`the database used only ${show(cpu)} cores`]),
      ...(longest === undefined ? [] : [`${show(longest[1])} backends waited for ${longest[0]}`]),
    ].join(', '),
  }
}

const findBulkhead: Rule = ({ upstream }) => {
  if (upstream === undefined || upstream.rejectedByConcurrency === 0) return undefined
  const { inFlight, rejectedByConcurrency } = upstream
  return {
    resource: 'bulkhead',
    reason: `${inFlight} calls to the upstream were in progress, and ${rejectedByConcurrency} calls were refused because of the limit`,
  }
}

const findDatabase: Rule = ({ processes = [], machine }) => {
  const database = processes.find(({ kind }) => kind === 'database')
  if (database === undefined || machine === undefined || database.cpu < SATURATED * machine.cores) return undefined
  return { resource: 'database CPU', reason: `the database used ${show(database.cpu)} of ${machine.cores} cores` }
}

/** An instance, Redis and the upstream use one core each. */
const findProcess: Rule = ({ processes = [], loop }) => {
  const [busiest] = processes.filter(({ kind }) => kind !== 'database').toSorted((a, b) => b.cpu - a.cpu)
  if (busiest === undefined || busiest.kind === 'database' || busiest.cpu < SATURATED) return undefined
  const delay = busiest.kind === 'service' && loop ? `, and its event loop had a delay of ${ms(loop.delayMs)}` : ''
  return { resource: KINDS[busiest.kind], reason: `${busiest.name} used ${show(busiest.cpu)} cores${delay}` }
}

/** A busy event loop may get little CPU time, because other programs use the cores. */
const findLoop: Rule = ({ loop, processes = [] }) => {
  if (loop === undefined || loop.utilization < SATURATED) return undefined
  const used = processes.flatMap(({ kind, cpu }) => (kind === 'service' ? [cpu] : []))
  const got = used.length === 0 ? '' : ` with ${show(Math.max(...used))} cores`
  return {
    resource: 'service CPU',
    reason: `the event loop was busy ${percent(loop.utilization)} of the time${got}, and had a delay of ${ms(loop.delayMs)}`,
  }
}

/** Returns the cores that programs outside of the link used. */
export function findOthers({ machine, processes = [], generator }: Evidence): number {
  if (machine === undefined) return 0
  const own = processes.reduce((total, { cpu }) => total + cpu, generator.cpu ?? 0)
  return Math.max(0, machine.busy * machine.cores - own)
}

/** The cores that other programs use are not a limit of the link. */
const findMachine: Rule = ({ machine, processes = [], generator }) => {
  if (machine === undefined || machine.busy < SATURATED) return undefined
  const own = [...processes, { name: 'generator', cpu: generator.cpu ?? 0 }].toSorted((a, b) => b.cpu - a.cpu)
  const shares = own.filter(({ cpu }) => cpu >= 0.05).map(({ name, cpu }) => `${name} ${show(cpu)}`)
  const others = findOthers({ generator, machine, processes })
  if (others > OTHERS * machine.cores) return undefined
  return {
    resource: 'machine CPU',
    reason: `the ${machine.cores} cores were ${percent(machine.busy)} busy: ${[...shares, `other programs ${show(others)}`].join(', ')}`,
  }
}

const show = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0))
const ms = (value: number) => `${value.toFixed(0)} ms`
const percent = (share: number) => `${Math.round(100 * share)} %`
