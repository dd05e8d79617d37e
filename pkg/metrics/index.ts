export { createHistogram, type Histogram, type Series } from './histogram.ts'
export { createHttpMetrics, type HttpMetrics } from './http.ts'
export { createMetrics, type Metrics } from './metrics.ts'
export { createSources, type Rendered } from './registry.ts'
