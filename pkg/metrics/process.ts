import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { getHeapStatistics } from 'node:v8'
import type { Sources } from './sources.ts'

/** Measures this process, with the names that all Prometheus clients use. */
export function measureProcess({ counter, gauge }: Sources): void {
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
  const startedAt = Date.now() / 1e3 - process.uptime()
  counter('process_cpu_seconds_total', 'CPU time of this process, user and system.', cpuSeconds)
  gauge('process_start_time_seconds', 'Start of this process, in seconds since the epoch.', () => startedAt)
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss())
  gauge('nodejs_heap_size_used_bytes', 'Memory of the objects in the heap.', () => process.memoryUsage().heapUsed)
  gauge('nodejs_heap_size_total_bytes', 'Memory of the heap.', () => process.memoryUsage().heapTotal)
  gauge('nodejs_heap_size_limit_bytes', 'Limit of the heap.', () => getHeapStatistics().heap_size_limit)
  gauge('nodejs_external_memory_bytes', 'Memory of buffers outside the heap.', () => process.memoryUsage().external)

  // Only Linux has these files.
  const files = '/proc/self/fd'
  if (!existsSync(files)) return
  const [, limit = 'Infinity'] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
  gauge('process_open_fds', 'Open file descriptors.', async () => (await readdir(files)).length)
  gauge('process_max_fds', 'Limit of open file descriptors.', () => Number(limit))
}
