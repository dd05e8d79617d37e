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
  gauge('process_resident_memory_bytes', 'Resident memory.', () => readResidentMemory() ?? [])
  gauge('nodejs_heap_size_used_bytes', 'Memory of the objects in the heap.', () => getHeapStatistics().used_heap_size)
  gauge('nodejs_heap_size_total_bytes', 'Memory of the heap.', () => getHeapStatistics().total_heap_size)
  gauge('nodejs_heap_size_limit_bytes', 'Limit of the heap.', () => getHeapStatistics().heap_size_limit)
  gauge(
    'nodejs_external_memory_bytes',
    'Memory of buffers outside the heap.',
    () => getHeapStatistics().external_memory,
  )

  // Only Linux has these files.
  const files = '/proc/self/fd'
  if (!existsSync(files)) return
  const [, limit = 'Infinity'] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
  gauge('process_open_fds', 'Open file descriptors.', () =>
    // Reading the directory fails when every descriptor is in use.
    readdir(files).then(
      ({ length }) => length,
      () => Number(limit),
    ),
  )
  gauge('process_max_fds', 'Limit of open file descriptors.', () => Number(limit))
}

/** Returns the resident memory in bytes, or undefined when no file descriptor is free: Linux publishes it in a file. */
export function readResidentMemory(): number | undefined {
  try {
    return process.memoryUsage.rss()
  } catch {
    return undefined
  }
}
