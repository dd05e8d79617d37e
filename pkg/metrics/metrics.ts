import { Registry } from 'prom-client'
import { createHttpMetrics, type HttpMetrics, type HttpMetricsOptions } from './http.ts'
import { measureProcess } from './process.ts'
import { type Rendered, render } from './registry.ts'
import { measureRuntime } from './runtime.ts'

export interface MetricsOptions extends HttpMetricsOptions {
  /** Pass `register` of prom-client to include each `new Counter({ name, help })`. @default a new registry */
  readonly registry?: Registry
}

export interface Metrics {
  readonly registry: Registry
  readonly http: HttpMetrics
  /** Renders every metric in the format that an `Accept` header prefers. Rejects when a metric cannot be read. */
  render(accept?: string): Promise<Rendered>
  stop(): void
}

/** Measures requests, the event loop, the garbage collector and the process. */
export function createMetrics({ registry = new Registry(), ...options }: MetricsOptions = {}): Metrics {
  const http = createHttpMetrics(registry, options)
  const stop = measureRuntime(registry)
  measureProcess(registry)
  return { registry, http, render: (accept) => render(registry, accept), stop }
}
