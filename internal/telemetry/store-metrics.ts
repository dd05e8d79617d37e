import { createHistogram, type Histogram, type Sources } from '#pkg/metrics/index.ts'
import type { DatabaseObserver } from '#pkg/postgres/index.ts'

/** https://opentelemetry.io/docs/specs/semconv/db/database-metrics/ */
const BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

/** Measures the operations and the connections of PostgreSQL and Redis. */
export function createStoreMetrics(sources: Sources) {
  const operations = createHistogram(sources, {
    name: 'db_client_operation_duration_seconds',
    help: 'Duration of database operations, including the wait for a connection.',
    bounds: BOUNDS,
  })
  const waits = createHistogram(sources, {
    name: 'db_client_connection_wait_time_seconds',
    help: 'Time that operations waited for a connection, without operations that got a connection at once.',
    bounds: BOUNDS,
  })
  /** Functions that read the number of connections by pool and state. */
  type Read = () => readonly (readonly [pool: string, state: string, count: number])[]
  const counts: Read[] = []
  const queues: Read[] = []
  // OpenTelemetry's db.client.connection.count: promtool rejects a gauge whose name ends in `_count`.
  sources.gauge('db_client_connections', 'Open connections.', () => {
    const all = counts.flatMap((read) => read())
    return all.map(([pool, state, value]) => ({
      labels: { ...inPool(pool), db_client_connection_state: state },
      value,
    }))
  })

  return {
    /** Returns the number of connections by pool and state, and the number of operations that wait for a connection. */
    connections: () => [...counts, ...queues].flatMap((read) => read()),
    /** Adds the metrics of PostgreSQL. */
    observeDatabase(): DatabaseObserver {
      const wait = waits.addSeries(inPool('database'))
      const onOperation = measure(operations, 'postgresql')
      let timeouts = 0
      return {
        onPool(read) {
          counts.push(() => {
            const { used, idle } = read()
            return [
              ['database', 'used', used],
              ['database', 'idle', idle],
            ]
          })
          queues.push(() => [['database', 'waiting', read().waiting]])
          sources.gauge('db_client_connection_pending_requests', 'Operations that wait for a connection.', () => [
            { labels: inPool('database'), value: read().waiting },
          ])
          sources.counter('db_client_connection_timeouts_total', 'Operations that got no connection in time.', () => [
            { labels: inPool('database'), value: timeouts },
          ])
        },
        onWait(durationMs, gotOne) {
          wait.observe(durationMs / 1e3)
          if (!gotOne) timeouts++
        },
        onQuery: onOperation,
      }
    },
    /** Adds the metrics of Redis. Returns a function that measures a command. */
    observeRedis(isReady: () => boolean) {
      counts.push(() => [['redis', 'used', Number(isReady())]])
      return measure(operations, 'redis')
    },
  }
}

const inPool = (name: string) => ({ db_client_connection_pool_name: name })

/** Returns a function that measures an operation. Operations come from the code, so the number of series is limited. */
function measure(operations: Histogram, system: string) {
  const byKey = new Map<string, ReturnType<Histogram['addSeries']>>()
  return function measured(operation: string, durationMs: number, error?: unknown): void {
    const errorType = error === undefined ? '' : findErrorType(error)
    const key = errorType === '' ? operation : `${operation} ${errorType}`
    let series = byKey.get(key)
    if (series === undefined) {
      const labels = { db_system_name: system, db_operation_name: operation, error_type: errorType }
      series = operations.addSeries(labels)
      byKey.set(key, series)
    }
    series.observe(durationMs / 1e3)
  }
}

/** Returns the SQLSTATE of an error of PostgreSQL. Error messages would make the number of series unlimited. */
function findErrorType(error: unknown): string {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : '_OTHER'
}
