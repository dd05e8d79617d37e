import { type Metric, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels?: Labels
  readonly value: number
  /** @default the name of the metric */
  readonly metricName?: string
  readonly exemplar?: { readonly labelSet: Labels; readonly value: number; readonly timestamp: number }
}

type Read = () => number | readonly Sample[] | Promise<number>

/** Returns functions that add metrics whose samples are read at a scrape, beside the metrics of prom-client. */
export function createSources(registry: Registry) {
  const sourceOf = (type: 'counter' | 'gauge' | 'histogram') => (name: string, help: string, read: Read) => {
    async function get() {
      const found = await read()
      return { name, help, type, aggregator: 'sum', values: typeof found === 'number' ? [{ value: found }] : found }
    }
    registry.registerMetric({ name, help, type, get, reset() {} } as unknown as Metric)
  }
  return { counter: sourceOf('counter'), gauge: sourceOf('gauge'), histogram: sourceOf('histogram') }
}

export interface Rendered {
  readonly contentType: string
  readonly text: string
}

/** Renders every metric as OpenMetrics when the `Accept` header prefers it, else in Prometheus' text format 0.0.4. */
export async function render(registry: Registry, accept?: string): Promise<Rendered> {
  if (!prefersOpenMetrics(accept)) return { contentType: registry.contentType, text: await registry.metrics() }
  // A registry has one format, and it renames the counters that it renders as OpenMetrics. So this one has copies.
  const view = new Registry() as unknown as Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>
  view.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  for (const metric of registry.getMetricsAsArray() as unknown as readonly Metric[]) {
    const get = async () => {
      const item = await metric.get()
      return { ...item, name: item.name.replace(/_total$/, '') }
    }
    view.registerMetric({ ...metric, get, getForPromString: undefined } as unknown as Metric)
  }
  return { contentType: view.contentType, text: await view.metrics() }
}

/** Returns false for a wildcard: a client that names no format gets the one that every parser knows. */
function prefersOpenMetrics(accept = ''): boolean {
  const quality = (type: string) => {
    const ranges = accept.split(',').filter((range) => range.trim().toLowerCase().startsWith(type))
    return Math.max(0, ...ranges.map((range) => Number(/;\s*q=([\d.]+)/i.exec(range)?.[1] ?? 1)))
  }
  const openMetrics = quality('application/openmetrics-text')
  return openMetrics > 0 && openMetrics >= quality('text/plain')
}
