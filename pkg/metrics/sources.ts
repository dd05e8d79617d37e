import type { Metric, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels?: Labels
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
    async function get() {
      const found = await read()
      return { name, help, type, aggregator: 'sum', values: typeof found === 'number' ? [{ value: found }] : found }
    }
    added.push({ name, help, type, get, reset() {} } as unknown as Metric)
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
