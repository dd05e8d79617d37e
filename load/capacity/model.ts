import { percentile } from '../../test/support/open-loop.ts'
import type { StepResult } from '../measure.ts'
import { findKnee, type Outcome } from './knee.ts'
import { type System, simulate } from './simulate.ts'
import { holds, type Objective } from './slo.ts'

/** The cost of one request, from measurements below the knee. Times are milliseconds. */
export interface Costs {
  /** Processor time in the instance, in the database, and in all processes of the link with the generator. */
  readonly cpuMs: number
  readonly databaseCpuMs: number
  readonly linkCpuMs: number
  /** Time that a request holds a connection to the database. */
  readonly connectionMs: number
  /** The rest of the median latency: the proxy, the network, other stores and upstreams. */
  readonly otherMs: number
}

/**
 * Computes the costs from measurements that the system held, each weighted by its requests. Connections follow from
 * Little's law: connections in use = rate × time of a request.
 */
export function computeCosts(results: readonly StepResult[]): Costs {
  const requests = sum(results, ({ achieved, durationS }) => achieved * durationS)
  /** @param read mean number of busy cores or connections during a measurement */
  const perRequest = (read: (result: StepResult) => number) =>
    (1_000 * sum(results, (result) => read(result) * result.durationS)) / requests
  const cpuOf = ({ evidence }: StepResult, kind?: string) =>
    sum(evidence.processes?.filter((each) => kind === undefined || each.kind === kind) ?? [], ({ cpu }) => cpu)
  const cpuMs = perRequest((result) => cpuOf(result, 'service'))
  const databaseCpuMs = perRequest((result) => cpuOf(result, 'database'))
  const connectionMs = perRequest(({ evidence }) => evidence.pool?.used ?? 0)
  const usual = percentile(
    results.map(({ p50Ms }) => p50Ms),
    50,
  )
  return {
    cpuMs,
    databaseCpuMs,
    linkCpuMs: perRequest((result) => cpuOf(result) + (result.evidence.generator.cpu ?? 0)),
    connectionMs,
    otherMs: Math.max(0, usual - cpuMs - connectionMs),
  }
}

const sum = <T>(items: readonly T[], read: (item: T) => number): number =>
  items.reduce((total, each) => total + read(each), 0)

export interface Plan {
  readonly costs: Costs
  readonly instances: number
  readonly poolMax: number
  readonly databaseCores: number
  readonly slo: readonly Objective[]
  readonly warmUpS: number
  readonly durationS: number
  /** @default even, as the generator sends them */
  readonly arrivals?: 'even' | 'random'
}

/** Simulates one measurement at a rate. */
export function simulateStep(plan: Plan, ratePerSecond: number): Outcome {
  const { costs, instances, poolMax, databaseCores, slo, warmUpS, durationS, arrivals } = plan
  const system: System = {
    ...{ instances, poolMax, databaseCores, cpuMs: costs.cpuMs, databaseCpuMs: costs.databaseCpuMs },
    holdMs: Math.max(0, costs.connectionMs - costs.databaseCpuMs),
  }
  const warmUpMs = warmUpS * 1_000
  const { latenciesMs, failed } = simulate(system, {
    ...{ ratePerSecond, warmUpMs, durationMs: warmUpMs + durationS * 1_000 },
    ...(arrivals && { arrivals }),
  })
  // `percentile` sorts its values, and sorted values sort faster.
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const at = (percent: number) => percentile(sorted, percent) + costs.otherMs
  const latencies = { p50Ms: at(50), p95Ms: at(95), p99Ms: at(99), maxMs: at(100) }
  return { isHeld: failed === 0 && holds(slo, latencies), isValid: true }
}

/** Predicts the knee of a number of instances by simulation, with the search that measures the real system. */
export async function predictKnee(plan: Plan): Promise<number> {
  const { costs, instances, poolMax, databaseCores } = plan
  // At this rate, one of the resources is in use all the time.
  const bound = Math.min(
    (1_000 * instances) / costs.cpuMs,
    (1_000 * instances * poolMax) / costs.connectionMs,
    (1_000 * databaseCores) / costs.databaseCpuMs,
  )
  // The search repeats a rate that fails, and a repeated simulation has the same outcome.
  const known = new Map<number, Outcome>()
  const { ratePerSecond } = await findKnee({
    async measure(rate) {
      const outcome = known.get(rate) ?? simulateStep(plan, rate)
      known.set(rate, outcome)
      return outcome
    },
    ...{ start: 0.9 * bound, growth: 1.15, resolution: 0.02, repetitions: 1 },
  })
  return ratePerSecond
}
