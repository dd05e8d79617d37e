import { type Measurement, median, ratios } from './measurement.ts'

export interface Budget {
  readonly measurement: string
  readonly of: string
  /** Another row; without one the value itself is limited. */
  readonly to?: string
  readonly limit: Limit
  /** What a quick run is held to, generously: it also runs on shared machines. Without it the figure is not stable enough. */
  readonly quick?: Limit
  readonly reason: string
}

export type Limit = { readonly atLeast: number } | { readonly atMost: number }

export const BUDGETS: readonly Budget[] = [
  {
    measurement: 'ping',
    of: 'service',
    to: 'raw',
    limit: { atLeast: 0.55 },
    quick: { atLeast: 0.35 },
    reason: 'a request costs less than twice what node:http alone takes, with all that is done for it',
  },
  {
    measurement: 'ping',
    of: 'service',
    to: 'raw with duties',
    limit: { atLeast: 0.8 },
    quick: { atLeast: 0.5 },
    reason: 'Express, helmet and pino-http cost a fifth of what doing it by hand would give',
  },
  {
    measurement: 'ping',
    of: 'service',
    to: 'fastify with duties',
    limit: { atLeast: 1.5 },
    reason: 'no complete stack on Node is as fast',
  },
  {
    measurement: 'ping',
    of: 'service',
    to: 'express as usual',
    limit: { atLeast: 3.5 },
    reason: 'what Express usually loses is not lost here',
  },
  {
    measurement: 'probes',
    of: '/health/live',
    to: 'raw',
    limit: { atLeast: 0.9 },
    quick: { atLeast: 0.6 },
    reason: 'a probe passes no middleware and looks at no dependency',
  },
  {
    measurement: 'probes',
    of: '/health/ready',
    to: 'raw',
    limit: { atLeast: 0.9 },
    quick: { atLeast: 0.6 },
    reason: 'readiness reads what the last checks found and does not wait for the next',
  },
  {
    measurement: 'liveness p99',
    of: 'service with stores',
    limit: { atMost: 5 },
    reason: 'a busy process is not taken for a dead one',
  },
  {
    measurement: 'echo',
    of: 'service with POST /echo',
    to: 'fastify with duties',
    limit: { atLeast: 1.5 },
    reason: 'what is saved for each request is not lost again where there is work to do',
  },
  {
    measurement: 'start-up',
    of: 'service',
    to: 'raw',
    limit: { atMost: 1.25 },
    quick: { atMost: 1.8 },
    reason: 'restarts, scaling from zero and failing over all wait for it',
  },
  {
    measurement: 'start-up',
    of: 'service with stores',
    to: 'raw',
    limit: { atMost: 2.2 },
    quick: { atMost: 3 },
    reason: 'the drivers of the database and of Redis take no longer to load than Node itself',
  },
  {
    measurement: 'start-up',
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
    reason: 'what is complete costs no more to keep than what is not',
  },
  {
    measurement: 'memory, load',
    of: 'service',
    to: 'express bare',
    limit: { atMost: 1.3 },
    quick: { atMost: 1.6 },
    reason: 'the buffer of the log is bounded, and nothing grows with the requests',
  },
]

export interface Verdict {
  readonly holds: boolean
  readonly text: string
}

/** Of every budget about something that was measured. A row that was not measured breaks its budget. */
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
    const text = `${measurement.name}: ${of} is ${value.toFixed(2)} ${unit}, has to be ${bound}: ${reason}`
    return [{ holds, text }]
  })
}
