import type { Snapshot } from '#pkg/health/index.ts'
import type { Phase } from '#pkg/lifecycle/index.ts'
import { createMetrics, type MetricsOptions } from '#pkg/metrics/index.ts'
import { createStoreMetrics } from './store/metrics.ts'

/** Counted by the service itself, because these events may precede the metrics. */
export interface Counts {
  reloads: number
  failedReloads: number
  isCountingAlone: boolean
}

export interface ServiceMetricsDeps extends MetricsOptions {
  readonly service: string
  readonly version: string
  readonly counts: Readonly<Counts>
  readonly droppedLines: () => number
  readonly phase: () => Phase
  readonly snapshot: () => Pick<Snapshot, 'checks'>
}

const PHASES: readonly Phase[] = ['starting', 'serving', 'draining', 'stopped']

/** Lists the metrics of this service (docs/metrics.md). */
export function createServiceMetrics(deps: ServiceMetricsDeps) {
  const { service, version, counts, droppedLines, phase, snapshot, ...options } = deps
  const metrics = createMetrics({
    ...options,
    exemplar: ({ id }) => (typeof id === 'string' ? { request_id: id } : undefined),
  })
  const { counter, gauge } = metrics.sources
  const target = { service_name: service, service_version: version, process_runtime_version: process.versions.node }
  gauge('target_info', 'The service, its version and the version of Node.', () => [{ labels: target, value: 1 }])
  gauge('service_phase', 'Whether the service is in this phase.', () =>
    PHASES.map((name) => ({ labels: { phase: name }, value: Number(name === phase()) })),
  )
  gauge('health_check_status', 'Whether the check passes.', () => {
    const checks = Object.entries(snapshot().checks)
    return checks.map(([check, { status }]) => ({ labels: { check }, value: Number(status === 'ok') }))
  })
  counter('settings_reloads_total', 'Reloads of the settings.', () => [
    { labels: { result: 'ok' }, value: counts.reloads },
    { labels: { result: 'fail' }, value: counts.failedReloads },
  ])
  counter('log_lines_dropped_total', 'Log lines lost because the output was blocked.', droppedLines)
  const alone = 'Whether this instance counts the requests of clients without the other instances.'
  gauge('rate_limit_counting_alone', alone, () => Number(counts.isCountingAlone))
  return { ...metrics, ...createStoreMetrics(metrics.sources) }
}
