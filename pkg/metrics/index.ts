export { createHistogram, type Histogram } from './histogram.ts'
export { createMetrics, type Metrics, type MetricsOptions } from './metrics.ts'
export { measureLoop } from './runtime.ts'
export type { Labels, Sources } from './sources.ts'
