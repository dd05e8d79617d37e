import { constants, type EventLoopUtilization, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import type { Registry } from 'prom-client'
import { createHistogram } from './histogram.ts'
import { addSource } from './registry.ts'

const RESOLUTION_MS = 10

/** Measures the event loop and the garbage collector. Returns a function that stops measuring. */
export function measureRuntime(registry: Registry): () => void {
  measureLoopUtilization(registry)
  const stops = [measureLoopDelay(registry), measureGarbageCollection(registry)]
  return () => stops.forEach((stop) => void stop())
}

function measureLoopDelay(registry: Registry): () => void {
  let isPerIteration = false
  const delay = monitorEventLoopDelay({
    resolution: RESOLUTION_MS,
    // A Node without this option does not read it. It measures the interval of a timer, which includes the resolution.
    get samplePerIteration() {
      isPerIteration = true
      return true
    },
  })
  delay.enable()
  const base = isPerIteration ? 0 : RESOLUTION_MS * 1e6
  // The order matters: a scrape reads all of them at once, in the order in which they were added.
  const values = {
    mean: () => delay.mean,
    p50: () => delay.percentile(50),
    p90: () => delay.percentile(90),
    p99: () => delay.percentile(99),
    max: () => delay.max,
  }
  for (const [name, nanoseconds] of Object.entries(values)) {
    addSource(registry, {
      name: `nodejs_eventloop_delay_${name}_seconds`,
      help: `Delay of the event loop since the last scrape, ${name}.`,
      type: 'gauge',
      read() {
        const value = delay.count === 0 ? 0 : Math.max(0, nanoseconds() - base) / 1e9
        if (name === 'max') delay.reset()
        return value
      },
    })
  }
  return () => delay.disable()
}

function measureLoopUtilization(registry: Registry): void {
  let last: EventLoopUtilization | undefined
  addSource(registry, {
    name: 'nodejs_eventloop_utilization_ratio',
    help: 'Share of the time since the last scrape in which the event loop was busy.',
    type: 'gauge',
    read() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      return utilization
    },
  })
  addSource(registry, {
    name: 'nodejs_eventloop_time_seconds_total',
    help: 'Time that the event loop has spent in each state.',
    type: 'counter',
    read() {
      const { active, idle } = performance.eventLoopUtilization()
      return [
        { labels: { nodejs_eventloop_state: 'active' }, value: active / 1e3 },
        { labels: { nodejs_eventloop_state: 'idle' }, value: idle / 1e3 },
      ]
    },
  })
}

function measureGarbageCollection(registry: Registry): () => void {
  const durations = createHistogram(registry, {
    name: 'v8js_gc_duration_seconds',
    help: 'Duration of garbage collections.',
    bounds: [0.001, 0.01, 0.1, 1, 10],
  })
  const add = (type: string) => durations.addSeries({ v8js_gc_type: type })
  const minor = add('minor')
  const series = new Map([
    [constants.NODE_PERFORMANCE_GC_MINOR, minor],
    [constants.NODE_PERFORMANCE_GC_MINOR_MARK_SWEEP, minor],
    [constants.NODE_PERFORMANCE_GC_MAJOR, add('major')],
    [constants.NODE_PERFORMANCE_GC_INCREMENTAL, add('incremental')],
    [constants.NODE_PERFORMANCE_GC_WEAKCB, add('weakcb')],
  ])
  const observer = new PerformanceObserver((list) => {
    // One notification may carry several collections.
    for (const { detail, duration } of list.getEntries() as unknown as readonly Collection[]) {
      series.get(detail.kind)?.observe(duration / 1e3)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}

interface Collection {
  readonly detail: { readonly kind: number }
  readonly duration: number
}
