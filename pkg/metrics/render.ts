import { type Metric, Registry, register } from 'prom-client'
import type { Sources } from './sources.ts'

export interface RenderOptions {
  readonly sources: Sources
  /** @default the registry of each `new Counter({ name, help })` */
  readonly registry?: Registry | undefined
  readonly accept?: string | undefined
}

/** A histogram of prom-client has a separate function for its text, whose samples share their labels. */
type TextMetric = Metric & { getForPromString?: Metric['get'] }

type Rendered = { readonly contentType: string; readonly text: string }

/** Renders every metric as OpenMetrics when the `Accept` header prefers it, else in Prometheus' text format 0.0.4. */
export async function render({ sources, registry = register, accept }: RenderOptions): Promise<Rendered> {
  sources.register(registry)
  if (!prefersOpenMetrics(accept)) return { contentType: registry.contentType, text: await registry.metrics() }
  // A registry has one format, and permanently renames counters that it renders as OpenMetrics, so use copies.
  const view = new Registry() as unknown as Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>
  view.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  for (const metric of registry.getMetricsAsArray() as unknown as readonly TextMetric[]) {
    const get = async () => {
      const item = await (metric.getForPromString?.() ?? metric.get())
      return { ...item, name: item.name.replace(/_total$/, '') }
    }
    view.registerMetric({ ...metric, get, getForPromString: undefined } as unknown as Metric)
  }
  return { contentType: view.contentType, text: await view.metrics() }
}

/** Returns false for a wildcard: a client that names no format gets the format that every parser knows. */
function prefersOpenMetrics(accept = ''): boolean {
  const quality = (type: string) => {
    const ranges = accept.split(',').filter((range) => range.trim().toLowerCase().startsWith(type))
    return Math.max(0, ...ranges.map((range) => Number(/;\s*q=([\d.]+)/i.exec(range)?.[1] ?? 1)))
  }
  const openMetrics = quality('application/openmetrics-text')
  return openMetrics > 0 && openMetrics >= quality('text/plain')
}
