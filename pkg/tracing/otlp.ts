import { once } from 'node:events'
import { connect } from 'node:net'
import { SpanKind, TraceFlags } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, SDK_INFO } from '@opentelemetry/core'
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from '@opentelemetry/otlp-exporter-base/node-http'
import { JsonTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer'
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { withTimeout } from '../with-timeout.ts'
import type { FinishedSpan, SpanSink } from './span.ts'

/**
 * Reason for lost spans: the queue was full, the export failed, the collector rejected them, or the service stopped.
 */
export type LossReason = 'queue_full' | 'export_failed' | 'rejected' | 'stopped'

/** Reports the first loss, and the first export without a loss after it. */
export type OtlpEvent =
  | { readonly type: 'spans lost'; readonly reason: LossReason; readonly err?: unknown }
  | { readonly type: 'spans exported again'; readonly lost: number }

export interface OtlpOptions {
  /** URL that receives OTLP over HTTP as JSON, such as `http://collector:4318/v1/traces`. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Describes the service: `service.name`, `service.version` and so on. */
  readonly resource: Readonly<Record<string, string>>
  /** Time limit of the export of a batch with its retries, in milliseconds. @default 10_000 */
  readonly timeoutMs?: number
  /** Maximum time that a span waits for its batch, in milliseconds. @default 5_000 */
  readonly scheduleDelayMs?: number
  /** Time after which an unfinished export counts as failed, in milliseconds. @default 30_000 */
  readonly exportTimeoutMs?: number
  /** Maximum number of waiting spans. Further spans are lost. @default 2_048 */
  readonly maxQueueSize?: number
  /** Maximum number of spans in a batch. @default 512 */
  readonly maxBatchSize?: number
  /** Time limit of the export of the remaining spans during a stop, in milliseconds. @default 3_000 */
  readonly flushTimeoutMs?: number
  readonly onEvent: (event: OtlpEvent) => void
}

export interface OtlpCounts {
  exported: number
  readonly lost: Record<LossReason, number>
}

export type Otlp = ReturnType<typeof createOtlp>

const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT }
const SCOPE = { name: 'pkg/tracing' }

/**
 * Exports the spans of sampled traces in batches with OpenTelemetry's SDK. When the collector is down, spans are lost,
 * but requests are not affected.
 */
export function createOtlp(options: OtlpOptions) {
  const { url, headers = {}, timeoutMs = 10_000, flushTimeoutMs = 3_000, onEvent } = options
  const { exportTimeoutMs = 30_000, maxQueueSize = 2_048, maxBatchSize = 512, scheduleDelayMs = 5_000 } = options
  // Collectors detect the language of a service by the attributes of the SDK, which the specification requires.
  const resource = resourceFromAttributes({ ...SDK_INFO, ...options.resource })
  const counts: OtlpCounts = { exported: 0, lost: { queue_full: 0, export_failed: 0, rejected: 0, stopped: 0 } }
  let queued = 0
  let inFlight = 0
  let hasStopped = false
  /** Spans lost since the last export without a loss. */
  let losing = 0
  /** True when the queue was full since the last export. */
  let wasFull = false

  function lose(reason: LossReason, spans: number, err?: unknown): void {
    if (spans === 0) return
    counts.lost[reason] += spans
    if (reason === 'queue_full') wasFull = true
    if (losing === 0) onEvent({ type: 'spans lost', reason, err })
    losing += spans
  }

  function succeed(spans: number, rejected: number): void {
    counts.exported += spans - rejected
    lose('rejected', rejected)
    if (losing > 0 && rejected === 0 && !wasFull) {
      onEvent({ type: 'spans exported again', lost: losing })
      losing = 0
    }
    wasFull = false
  }

  /** The result of the response. The delegate reads the response before it reports the end of the export. */
  let response: { rejected: number; err?: unknown } = { rejected: 0 }
  const serializer: typeof JsonTraceSerializer = {
    serializeRequest: (spans) => JsonTraceSerializer.serializeRequest(spans),
    deserializeResponse(data) {
      try {
        const parsed: ReturnType<typeof JsonTraceSerializer.deserializeResponse> = JSON.parse(decode(data))
        // A negative number or NaN would stay in the counters.
        const rejected = Number(parsed.partialSuccess?.rejectedSpans ?? 0)
        response = { rejected: rejected > 0 ? Math.floor(rejected) : 0 }
        return parsed
      } catch (cause) {
        response = { rejected: 0, err: new Error('the response is not OTLP as JSON', { cause }) }
        return {}
      }
    },
  }
  const delegate = createOtlpHttpExportDelegate(
    {
      url,
      headers: async () => ({ ...headers, 'Content-Type': 'application/json' }),
      timeoutMillis: timeoutMs,
      // Permits the batches of a stop beside a batch that has timed out.
      concurrencyLimit: Math.ceil(maxQueueSize / maxBatchSize) + 2,
      compression: 'none',
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true }),
    },
    serializer,
    'otlp_http_json_span_exporter',
    TraceExporterMetricsHelper,
    undefined,
  )

  const exporter = {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
      // A timer of the processor may fire after a stop. The stop has already counted these spans as lost.
      if (hasStopped) return void done({ code: ExportResultCode.FAILED })
      queued -= spans.length
      inFlight += spans.length
      let hasEnded = false
      function end(result: ExportResult): void {
        if (hasEnded) return
        hasEnded = true
        clearTimeout(timer)
        const { err = result.error, rejected } = response
        response = { rejected: 0 }
        done(result)
        // A stop has counted these spans as lost.
        if (hasStopped) return
        inFlight -= spans.length
        if (result.code !== ExportResultCode.SUCCESS || err !== undefined) lose('export_failed', spans.length, err)
        else succeed(spans.length, Math.min(spans.length, rejected))
      }
      const timer = setTimeout(() => {
        end({ code: ExportResultCode.FAILED, error: new Error(`no response within ${exportTimeoutMs} ms`) })
      }, exportTimeoutMs).unref()
      delegate.export(spans, end)
    },
    forceFlush: () => delegate.forceFlush(),
    shutdown: () => delegate.shutdown(),
  }
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize,
    maxExportBatchSize: maxBatchSize,
    scheduledDelayMillis: scheduleDelayMs,
    // The timer of `export` must fire first, so that the count is correct.
    exportTimeoutMillis: exportTimeoutMs + 1_000,
  })

  const sink: SpanSink = {
    wants: ({ sampled }) => sampled,
    onEnd(span) {
      if (hasStopped) return lose('stopped', 1)
      if (queued >= maxQueueSize) return lose('queue_full', 1)
      queued++
      processor.onEnd(toReadableSpan(span, resource))
    },
  }

  return {
    sink,
    counts: counts as Readonly<OtlpCounts>,
    /** Exports the remaining spans, and counts spans that are not exported in time as lost. Never rejects. */
    async stop(): Promise<void> {
      async function flush(): Promise<void> {
        if (queued + inFlight > 0) await reach(url)
        // The processor rejects when the first batch fails. The other batches may still succeed.
        await processor.shutdown().finally(() => delegate.forceFlush())
      }
      let err: unknown
      try {
        await withTimeout(flush(), flushTimeoutMs)
      } catch (error) {
        err = error
      }
      hasStopped = true
      lose('stopped', queued + inFlight, err)
    },
  }
}

/** Connects to the collector, and rejects when it refuses the connection. The SDK would retry until its time limit. */
async function reach(url: string): Promise<void> {
  const { protocol, hostname, port } = new URL(url)
  const socket = connect(Number(port) || (protocol === 'https:' ? 443 : 80), hostname.replace(/^\[|\]$/g, ''))
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}

/** An empty response is valid. */
const decode = (data: Uint8Array) => (data.length === 0 ? '{}' : new TextDecoder().decode(data))

/** Converts milliseconds to seconds and nanoseconds. */
const toHrTime = (ms: number): [number, number] => [Math.trunc(ms / 1e3), Math.round((ms % 1e3) * 1e6)]

function toReadableSpan(span: FinishedSpan, resource: Resource): ReadableSpan {
  const { traceId, spanId, parentId, name, kind, startedAt, durationMs, attributes, error } = span
  const context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED }
  return {
    name,
    kind: KINDS[kind],
    spanContext: () => context,
    ...(parentId !== undefined && { parentSpanContext: { ...context, spanId: parentId, isRemote: kind === 'server' } }),
    startTime: toHrTime(startedAt),
    endTime: toHrTime(startedAt + durationMs),
    duration: toHrTime(durationMs),
    status: { code: error === undefined ? 0 : 2 },
    attributes: { ...attributes },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}
