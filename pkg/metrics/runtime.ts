import { constants, type EventLoopUtilization, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { createHistogram } from './histogram.ts'
import type { Sources } from './sources.ts'

const DEFAULT_RESOLUTION_MS = 10

/** Adds the metrics of the event loop and the garbage collector. Returns a function that stops measuring. */
export function measureRuntime(sources: Sources): () => void {
  const loop = measureLoop()
  const help = 'Share of the time since the last scrape in which the event loop was busy.'
  sources.gauge('nodejs_eventloop_utilization_ratio', help, loop.utilization)
  sources.counter('nodejs_eventloop_time_seconds_total', 'Time that the event loop has spent in each state.', () => {
    const { active, idle } = performance.eventLoopUtilization()
    const states = Object.entries({ active, idle })
    return states.map(([state, ms]) => ({ labels: { nodejs_eventloop_state: state }, value: ms / 1e3 }))
  })
  for (const [name, read] of Object.entries(loop.delay)) {
    const help = `Delay of the event loop since the last scrape, ${name}.`
    sources.gauge(`nodejs_eventloop_delay_${name}_seconds`, help, () => {
      const seconds = read()
      // A scrape reads all values in one turn, and `max` last.
      if (name === 'max') loop.reset()
      return seconds
    })
  }
  const stopCollector = measureGarbageCollection(sources)
  return function stop() {
    loop.stop()
    stopCollector()
  }
}

/**
 * Measures the event loop for one reader. Each reader needs its own measurement, because a reading starts a new period.
 */
export function measureLoop() {
  let isPerIteration = false
  const delays = monitorEventLoopDelay({
    // Older versions of Node ignore this option. They measure the interval of a timer, which includes the resolution.
    get samplePerIteration() {
      isPerIteration = true
      return true
    },
  })
  delays.enable()
  const base = isPerIteration ? 0 : DEFAULT_RESOLUTION_MS * 1e6
  const toSeconds = (nanoseconds: number) => (delays.count === 0 ? 0 : Math.max(0, nanoseconds - base) / 1e9)
  let last: EventLoopUtilization | undefined

  return {
    /** Returns the share of the time since the last call in which the loop was busy, from 0 to 1. */
    utilization(): number {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      return utilization
    },
    /** The delay of the loop since the last reset, in seconds. */
    delay: {
      mean: () => toSeconds(delays.mean),
      p50: () => toSeconds(delays.percentile(50)),
      p90: () => toSeconds(delays.percentile(90)),
      p99: () => toSeconds(delays.percentile(99)),
      max: () => toSeconds(delays.max),
    },
    reset: () => delays.reset(),
    stop: () => void delays.disable(),
  }
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
