import type { Config } from './env.ts'

/** Returns the options of the span exporter and the sampler, or undefined when no collector is configured. */
export function describeExport(config: Config) {
  const base = config.OTEL_EXPORTER_OTLP_ENDPOINT
  const url = config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base && `${base.replace(/\/+$/, '')}/v1/traces`)
  if (url === undefined) return undefined
  const { OTEL_SERVICE_NAME: name, OTEL_RESOURCE_ATTRIBUTES: attributes } = config
  return {
    url,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    timeoutMs: config.OTEL_EXPORTER_OTLP_TIMEOUT,
    resource: { ...attributes, ...(name !== undefined && { 'service.name': name }) },
    scheduleDelayMs: config.OTEL_BSP_SCHEDULE_DELAY,
    exportTimeoutMs: config.OTEL_BSP_EXPORT_TIMEOUT,
    maxQueueSize: config.OTEL_BSP_MAX_QUEUE_SIZE,
    maxBatchSize: config.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    sampler: { name: config.OTEL_TRACES_SAMPLER, ratio: config.OTEL_TRACES_SAMPLER_ARG },
  }
}
