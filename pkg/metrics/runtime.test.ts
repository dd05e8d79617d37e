import { execFileSync } from 'node:child_process'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test } from '@jest/globals'
import { Registry } from 'prom-client'
import { createMetrics, type Metrics } from './metrics.ts'
import { measureLoop } from './runtime.ts'

const running: Metrics[] = []
afterEach(() => {
  for (const { stop } of running.splice(0)) stop()
})

function measure() {
  const metrics = createMetrics({ registry: new Registry() })
  running.push(metrics)
  return async (name: string): Promise<number> => {
    const { text } = await metrics.render()
    const line = text.split('\n').find((line) => line.startsWith(`${name} `))
    return Number(line?.split(' ').at(-1))
  }
}

function blockLoop(ms: number): void {
  for (const start = performance.now(); performance.now() - start < ms; );
}

/** Scrapes until the value passes. */
async function until(scrape: () => Promise<number>, passes: (value: number) => boolean): Promise<void> {
  while (!passes(await scrape())) await setTimeout(1)
}

test('the next scrape shows a blocked event loop, and later scrapes do not', async () => {
  const scrape = measure()
  await until(
    () => {
      blockLoop(60)
      return scrape('nodejs_eventloop_delay_max_seconds')
    },
    (seconds) => seconds >= 0.045,
  )
  await until(
    () => scrape('nodejs_eventloop_delay_max_seconds'),
    (seconds) => seconds < 0.045,
  )
})

let hasIterations = false
monitorEventLoopDelay({
  get samplePerIteration() {
    hasIterations = true
    return true
  },
})
const testIterations = hasIterations ? test : test.skip

testIterations('where Node can sample each iteration, fast iterations count as much as a slow iteration', async () => {
  const { delay, stop } = measureLoop()
  await setImmediate()
  blockLoop(100)
  // The timer of older versions of Node would sample these iterations once every 10 ms.
  for (let iteration = 0; iteration < 2_000; iteration++) await setImmediate()
  expect(delay.max()).toBeGreaterThanOrEqual(0.09)
  expect(delay.mean()).toBeLessThan(delay.max() / 20)
  stop()
})

test('a busy event loop has a utilization near one, and an idle event loop near zero', async () => {
  const scrape = measure()
  const name = 'nodejs_eventloop_utilization_ratio'
  await until(
    () => {
      blockLoop(20)
      return scrape(name)
    },
    (ratio) => ratio > 0.8,
  )
  await until(
    async () => {
      await setTimeout(20)
      return scrape(name)
    },
    (ratio) => ratio < 0.5,
  )
})

test('each garbage collection counts, even when several end in one turn', async () => {
  const scrape = measure()
  let seen = 0
  const observer = new PerformanceObserver((list) => {
    seen += list.getEntries().filter((entry) => (entry as { detail?: { kind?: number } }).detail?.kind === 4).length
  })
  observer.observe({ entryTypes: ['gc'] })
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const name = 'v8js_gc_duration_seconds_count{v8js_gc_type="major"}'
  for (let index = 0; index < 5; index++) collect()
  await until(
    async () => seen,
    (count) => count >= 5,
  )
  observer.disconnect()
  expect(await scrape(name)).toBeGreaterThanOrEqual(5)
})

test('the process has its CPU time, its memory, its files and its start', async () => {
  const scrape = measure()
  const now = Date.now() / 1e3
  expect(Math.abs((await scrape('process_start_time_seconds')) - (now - process.uptime()))).toBeLessThan(2)
  const before = await scrape('process_cpu_seconds_total')
  blockLoop(50)
  expect((await scrape('process_cpu_seconds_total')) - before).toBeGreaterThan(0)
  expect(await scrape('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  expect(await scrape('nodejs_heap_size_limit_bytes')).toBeGreaterThan(await scrape('nodejs_heap_size_used_bytes'))
  if (process.platform !== 'linux') return
  expect(await scrape('process_open_fds')).toBeGreaterThan(2)
  expect(await scrape('process_max_fds')).toBeGreaterThan(await scrape('process_open_fds'))
})

test('a scrape without a free file descriptor succeeds and shows that every descriptor is in use', () => {
  const script = `
    import { openSync, writeSync } from 'node:fs'
    import { createMetrics } from '${import.meta.dirname}/metrics.ts'
    const metrics = createMetrics()
    await metrics.render()
    try {
      for (;;) openSync('/dev/null')
    } catch {}
    const { text } = await metrics.render()
    writeSync(1, text.match(/process_open_fds ([0-9]+)/)[1])
    process.exit()`
  const limited = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script]
  // The process may inherit descriptors above its limit.
  expect(Number(execFileSync('/bin/sh', limited, { encoding: 'utf8' }))).toBeGreaterThanOrEqual(64)
})
