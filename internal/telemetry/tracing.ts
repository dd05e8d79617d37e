import type { RequestContext } from '#pkg/http/request-context.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { DatabaseOperation, DatabaseTracer } from '#pkg/postgres/index.ts'
import {
  createSampler,
  createServerSpans,
  createTracer,
  type Otlp,
  type OtlpEvent,
  type OtlpOptions,
  type SamplerOptions,
  type SpanSink,
  type Tracer,
  traceRedis,
} from '#pkg/tracing/index.ts'
import { logEvent } from './log-events.ts'

export interface TracingDeps {
  readonly context: RequestContext
  readonly logger: Logger
  readonly service: string
  readonly version: string
  /** The options of the exporter and the sampler. @default the spans are not exported */
  readonly exporter?: (Omit<OtlpOptions, 'onEvent'> & { readonly sampler: SamplerOptions }) | undefined
  /** Additional sinks, which also receive the spans. @default none */
  readonly sinks?: readonly SpanSink[]
}

export type Tracing = Awaited<ReturnType<typeof createTracing>>

/** Composes the tracing of this service (docs/tracing.md). Loads OpenTelemetry's SDK when the spans are exported. */
export async function createTracing({ context, logger, service, version, exporter, sinks = [] }: TracingDeps) {
  let otlp: Otlp | undefined
  if (exporter !== undefined) {
    const { createOtlp } = await import('#pkg/tracing/otlp.ts')
    const resource = { 'service.name': service, 'service.version': version, ...exporter.resource }
    otlp = createOtlp({ ...exporter, resource, onEvent: logExport(logger) })
  }
  const all = otlp ? [otlp.sink, ...sinks] : sinks
  const tracer = createTracer({ context, sinks: all })
  const server = createServerSpans({ sinks: all })
  const stopRedis = traceRedis(tracer)
  return {
    tracer,
    /** Undefined without an exporter: the service passes on the decision of the caller. */
    sample: exporter && createSampler(exporter.sampler),
    beginRequest: server.begin,
    bindRoute: server.bind,
    database: traceDatabase(tracer),
    /** Undefined when the spans are not exported. */
    counts: otlp?.counts,
    part: {
      name: 'tracing',
      async stop() {
        stopRedis()
        await otlp?.stop()
      },
    },
  }
}

/** https://opentelemetry.io/docs/specs/semconv/db/postgresql/ */
function traceDatabase(tracer: Tracer): DatabaseTracer {
  return {
    currentSpanId: tracer.currentSpanId,
    start: ({ summary, name, collection }: DatabaseOperation, parent) =>
      tracer.start(summary, {
        kind: 'client',
        parentId: parent?.spanId,
        attributes: {
          'db.system.name': 'postgresql',
          'db.query.summary': summary,
          ...(name !== '_OTHER' && { 'db.operation.name': name }),
          ...(collection !== undefined && { 'db.collection.name': collection }),
        },
      }),
  }
}

const logExport = (logger: Logger) => (event: OtlpEvent) => {
  if (event.type === 'spans lost') {
    logEvent(logger, 'warn', event.type, { 'event.reason': event.reason, err: event.err })
  } else logEvent(logger, 'info', event.type, { 'App.traces.lost_spans': event.lost })
}
