import type { Labels, Sample, Sources } from './sources.ts'

export interface HistogramOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds of the buckets, ascending, without +Inf. */
  readonly bounds: readonly number[]
}

export type Histogram = ReturnType<typeof createHistogram>
/** The series of one set of labels. */
export type Series = ReturnType<Histogram['addSeries']>

/** Longest total length of the names and values of an exemplar's labels in OpenMetrics, in characters. */
const MAX_EXEMPLAR = 128

/**
 * Creates a histogram for code that runs in every request. Its series are bound once, so recording a value only adds to
 * two numbers. `Histogram` of prom-client hashes the labels of each value.
 */
export function createHistogram(sources: Sources, { name, help, bounds }: HistogramOptions) {
  const all: (() => Sample[])[] = []
  const limits = [...bounds.map(String), '+Inf'].map((le) => ({ le }))
  const names = { bucket: `${name}_bucket`, sum: `${name}_sum`, count: `${name}_count` }
  sources.histogram(name, help, () => all.flatMap((read) => read()))

  return {
    /** Adds a series for a set of labels. Call it once for each set, and keep the result. */
    addSeries(sharedLabels: Labels) {
      const counts = new Float64Array(limits.length)
      const sum = new Float64Array(1)
      const exemplars: Sample['exemplar'][] = limits.map(() => undefined)

      function read(): Sample[] {
        let count = 0
        const buckets = limits.map((labels, index) => {
          count += counts[index] ?? 0
          const exemplar = exemplars[index]
          return {
            metricName: names.bucket,
            labels,
            sharedLabels,
            value: count,
            ...(exemplar && fits(exemplar.labelSet) && { exemplar }),
          }
        })
        return [
          ...buckets,
          { metricName: names.sum, sharedLabels, value: sum[0] ?? 0 },
          { metricName: names.count, sharedLabels, value: count },
        ]
      }
      all.push(read)

      return {
        /** Records a value. The labels in `exemplar` identify its cause. Each bucket keeps its latest exemplar. */
        observe(value: number, exemplar?: Labels): void {
          let index = 0
          while (index < bounds.length && value > (bounds[index] as number)) index++
          counts[index] = (counts[index] as number) + 1
          sum[0] = (sum[0] as number) + value
          if (exemplar !== undefined) exemplars[index] = { labelSet: exemplar, value, timestamp: Date.now() / 1000 }
        },
      }
    },
  }
}

const fits = (labels: Labels) => Object.entries(labels).flat().join('').length <= MAX_EXEMPLAR
