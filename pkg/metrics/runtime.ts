import { constants, type EventLoopUtilization, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { createHistogram } from './histogram.ts'
import type { Sources } from './sources.ts'

const DEFAULT_RESOLUTION_MS = 10

/** Measures the event loop and the garbage collector. Returns a function that stops measuring. */
export function measureRuntime(sources: Sources): () => void {
  measureLoopUtilization(sources)
  const stops = [measureLoopDelay(sources), measureGarbageCollection(sources)]
  return () => stops.forEach((stop) => void stop())
}

function measureLoopDelay(sources: Sources) {
  let isPerIteration = false
  const delay = monitorEventLoopDelay({
    // Older versions of Node ignore this option. They measure the interval of a timer, which includes the resolution.
    get samplePerIteration() {
      isPerIteration = true
      return true
    },
  })
  delay.enable()
  const base = isPerIteration ? 0 : DEFAULT_RESOLUTION_MS * 1e6
  const values = {
    mean: () => delay.mean,
    p50: () => delay.percentile(50),
    p90: () => delay.percentile(90),
    p99: () => delay.percentile(99),
    max: () => delay.max,
  }
  for (const [name, nanoseconds] of Object.entries(values)) {
    const help = `Delay of the event loop since the last scrape, ${name}.`
    sources.gauge(`nodejs_eventloop_delay_${name}_seconds`, help, () => {
      const value = delay.count === 0 ? 0 : Math.max(0, nanoseconds() - base) / 1e9
      // A scrape reads all values in one turn, and `max` last.
      if (name === 'max') delay.reset()
      return value
    })
  }
  return () => delay.disable()
}

function measureLoopUtilization(sources: Sources): void {
  let last: EventLoopUtilization | undefined
  const help = 'Share of the time since the last scrape in which the event loop was busy.'
  sources.gauge('nodejs_eventloop_utilization_ratio', help, () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  })
  sources.counter('nodejs_eventloop_time_seconds_total', 'Time that the event loop has spent in each state.', () => {
    const { active, idle } = performance.eventLoopUtilization()
    const states = Object.entries({ active, idle })
    return states.map(([state, ms]) => ({ labels: { nodejs_eventloop_state: state }, value: ms / 1e3 }))
  })
}

function measureGarbageCollection(sources: Sources) {
  const durations = createHistogram(sources, {
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
    // One notification may contain several collections.
    const entries = list.getEntries() as unknown as readonly { detail: { kind: number }; duration: number }[]
    for (const { detail, duration } of entries) series.get(detail.kind)?.observe(duration / 1e3)
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}
