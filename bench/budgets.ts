import { type Measurement, median, ratios } from './measurement.ts'

export interface Budget {
  readonly measurement: string
  readonly of: string
  /** The row to compare with. @default the limit applies to the value itself */
  readonly to?: string
  readonly limit: Limit
  /** Generous limit of a quick run, which also happens on shared machines. @default none: too few rounds for this figure */
  readonly quick?: Limit
  readonly reason: string
}

export type Limit = { readonly atLeast: number } | { readonly atMost: number }

export const BUDGETS: readonly Budget[] = [
  {
    measurement: 'ping',
    of: 'service',
    to: 'raw',
    limit: { atLeast: 0.6 },
    quick: { atLeast: 0.35 },
    reason: 'a request through the whole stack takes less than twice the time of node:http alone',
  },
  {
    measurement: 'ping',
    of: 'service',
    to: 'raw with duties',
    limit: { atLeast: 0.85 },
    quick: { atLeast: 0.5 },
    reason: 'Express, helmet and pino-http cost little more than the same duties written by hand',
  },
  {
    measurement: 'ping',
    of: 'service',
    to: 'fastify with duties',
    limit: { atLeast: 1.5 },
    reason: 'the service outperforms Fastify with the same duties',
  },
  {
    measurement: 'ping',
    of: 'service',
    to: 'express as usual',
    limit: { atLeast: 3.5 },
    reason: 'the service avoids the usual costs of Express',
  },
  {
    measurement: 'probes',
    of: '/health/live',
    to: 'raw',
    limit: { atLeast: 0.9 },
    quick: { atLeast: 0.6 },
    reason: 'a probe passes no middleware and checks no dependency',
  },
  {
    measurement: 'probes',
    of: '/health/ready',
    to: 'raw',
    limit: { atLeast: 0.9 },
    quick: { atLeast: 0.6 },
    reason: 'readiness reads the snapshot of the last checks and waits for none',
  },
  {
    measurement: 'liveness p99',
    of: 'service with stores',
    limit: { atMost: 5 },
    reason: 'an orchestrator does not take a busy process for a dead one',
  },
  {
    measurement: 'echo',
    of: 'service with POST /echo',
    to: 'fastify with duties',
    limit: { atLeast: 1.5 },
    reason: 'the savings of each request remain where a handler has work to do',
  },
  {
    measurement: 'start-up, live',
    of: 'service',
    to: 'raw',
    limit: { atMost: 1.25 },
    quick: { atMost: 1.8 },
    reason: 'an orchestrator sees a live process before the service has loaded its request stack',
  },
  {
    measurement: 'start-up, ping',
    of: 'service',
    to: 'raw',
    limit: { atMost: 1.8 },
    quick: { atMost: 2.6 },
    reason: 'scaling from zero waits for the whole request stack',
  },
  {
    measurement: 'start-up, ready',
    of: 'service with live stores',
    to: 'raw',
    limit: { atMost: 2.6 },
    quick: { atMost: 3.6 },
    reason: 'a rolling update waits for each replica to load its drivers, connect and check its stores',
  },
  {
    measurement: 'start-up, ping',
    of: 'service',
    to: 'service from its sources',
    limit: { atMost: 1 },
    quick: { atMost: 1 },
    reason: 'the executable is worth building',
  },
  {
    measurement: 'memory, idle',
    of: 'service',
    to: 'express bare',
    limit: { atMost: 1.15 },
    quick: { atMost: 1.3 },
    reason: 'the complete service needs no more memory than a bare Express',
  },
  {
    measurement: 'memory, load',
    of: 'service',
    to: 'express bare',
    limit: { atMost: 1.3 },
    quick: { atMost: 1.6 },
    reason: 'the log buffer is bounded, and no other memory grows with the requests',
  },
]

export interface Verdict {
  readonly holds: boolean
  readonly text: string
}

/** Judges each budget whose measurement exists. A missing row breaks its budget. */
export function judge(
  budgets: readonly Budget[],
  measurements: readonly Measurement[],
  { quick }: { readonly quick: boolean },
): Verdict[] {
  return budgets.flatMap(({ of, to, reason, ...budget }) => {
    const measurement = measurements.find(({ name }) => name === budget.measurement)
    const limit = quick ? budget.quick : budget.limit
    if (measurement === undefined || limit === undefined) return []
    const value = median(to === undefined ? (measurement.rows[of] ?? []) : ratios(measurement, of, to))
    const [holds, bound] =
      'atLeast' in limit ? [value >= limit.atLeast, `≥ ${limit.atLeast}`] : [value <= limit.atMost, `≤ ${limit.atMost}`]
    const unit = to === undefined ? measurement.unit : `× ${to}`
    const text = `${measurement.name}: ${of} is ${value.toFixed(2)} ${unit}, limit ${bound}: ${reason}`
    return [{ holds, text }]
  })
}
