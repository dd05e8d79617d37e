import { createHttpMetrics, type HttpMetricsOptions } from './http.ts'
import { measureProcess } from './process.ts'
import type { RenderOptions } from './render.ts'
import { measureRuntime } from './runtime.ts'
import { createSources } from './sources.ts'

export interface MetricsOptions extends HttpMetricsOptions, Pick<RenderOptions, 'registry'> {}

export type Metrics = ReturnType<typeof createMetrics>

/** Measures requests, the event loop, the garbage collector and the process. */
export function createMetrics({ registry, ...options }: MetricsOptions = {}) {
  const sources = createSources()
  const http = createHttpMetrics(sources, options)
  const stop = measureRuntime(sources)
  measureProcess(sources)
  /** Renders every metric in the format that an `Accept` header prefers. Rejects when a metric cannot be read. */
  async function renderAll(accept?: string) {
    // The first scrape loads prom-client. Loading it at the start would take 15 ms.
    const { render } = await import('./render.ts')
    return render({ sources, registry, accept })
  }
  return { sources, http, render: renderAll, stop }
}
