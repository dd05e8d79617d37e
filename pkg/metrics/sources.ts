import type { Metric, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels?: Labels
  /** Labels that several samples share. prom-client renders each such object once and keeps the text. */
  readonly sharedLabels?: Labels
  readonly value: number
  /** @default the name of the metric */
  readonly metricName?: string
  readonly exemplar?: { readonly labelSet: Labels; readonly value: number; readonly timestamp: number }
}

type Read = () => number | readonly Sample[] | Promise<number>

export type Sources = ReturnType<typeof createSources>

/** Collects metrics whose samples are read at a scrape. The registry of prom-client need not be loaded yet. */
export function createSources() {
  const added: Metric[] = []
  const sourceOf = (type: 'counter' | 'gauge' | 'histogram') => (name: string, help: string, read: Read) => {
    // prom-client calls this function for its text format, and `get` for JSON.
    async function getForPromString() {
      const found = await read()
      const values: readonly Sample[] = typeof found === 'number' ? [{ value: found }] : found
      return { name, help, type, aggregator: 'sum', values }
    }
    async function get() {
      const { values, ...metric } = await getForPromString()
      const merge = ({ labels, sharedLabels, ...sample }: Sample) => ({
        ...sample,
        labels: { ...labels, ...sharedLabels },
      })
      return { ...metric, values: values.map(merge) }
    }
    added.push({ name, help, type, get, getForPromString, reset() {} } as unknown as Metric)
  }
  return {
    counter: sourceOf('counter'),
    gauge: sourceOf('gauge'),
    histogram: sourceOf('histogram'),
    /** Adds the metrics since the last call. @throws when the registry has another metric of the same name */
    register(registry: Registry): void {
      for (let metric = added[0]; metric !== undefined; metric = added[0]) {
        registry.registerMetric(metric)
        added.shift()
      }
    },
  }
}
