import type { Request } from 'express'
import type { Snapshot } from '#pkg/health/index.ts'
import type { Phase } from '#pkg/lifecycle/index.ts'
import { createMetrics, type Labels, type MetricsOptions } from '#pkg/metrics/index.ts'
import type { Admission } from '#pkg/overload/index.ts'
import type { OtlpCounts } from '#pkg/tracing/index.ts'
import { createStoreMetrics } from './store-metrics.ts'

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
  const metrics = createMetrics({ ...options, exemplar: findExemplar })
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
  /** Adds the metrics of the exporter of spans. */
  function observeSpans(spans: OtlpCounts): void {
    // The names of OpenTelemetry: https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
    counter('otel_sdk_exporter_span_exported_total', 'Spans that the collector has accepted.', () => spans.exported)
    counter('otel_sdk_exporter_span_dropped_total', 'Spans lost before the collector accepted them.', () =>
      Object.entries(spans.lost).map(([reason, value]) => ({ labels: { error_type: reason }, value })),
    )
  }
  /** Adds the metrics of the admission. */
  function observeAdmission({ level, averageWaitMs, queued, refused }: Omit<Admission, 'admit' | 'stop'>): void {
    const wait = 'Average wait of requests for their handler in the last second.'
    gauge('overload_wait_seconds', wait, () => averageWaitMs() / 1e3)
    gauge('overload_queued_requests', 'Requests that wait for their handler.', queued)
    const limit = 'Requests a second that the service admits. +Inf: all.'
    gauge('overload_limit_requests_per_second', limit, () => level().limit)
    gauge('overload_brownout', 'Whether background operations are off.', () => Number(level().isBrownout))
    counter('overload_refused_requests_total', 'Requests refused because of overload.', () =>
      [...refused()].flatMap(([priority, counts]) =>
        Object.entries(counts).map(([reason, value]) => ({ labels: { priority, reason }, value })),
      ),
    )
  }
  return { ...metrics, ...createStoreMetrics(metrics.sources), observeSpans, observeAdmission }
}

/** Longest request id that fits into an exemplar of OpenMetrics beside the trace id, in characters. */
const MAX_REQUEST_ID = 78

function findExemplar({ id, context }: Request): Labels | undefined {
  if (context === undefined) return undefined
  const { traceId } = context.trace
  const fits = typeof id === 'string' && id.length <= MAX_REQUEST_ID
  return fits ? { trace_id: traceId, request_id: id } : { trace_id: traceId }
}
