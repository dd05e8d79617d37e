import { createHistogram, type Sources } from '#pkg/metrics/index.ts'
import type { Attempt, BreakerState, UpstreamReport } from '#pkg/upstream/index.ts'

/** https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpclientrequestduration */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

const STATES: readonly BreakerState[] = ['closed', 'open', 'half-open', 'isolated']

/** Methods that the metrics distinguish, because each method adds series. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** HTTP has no statuses above 599. An instance that sends others must not add a series for each of them. */
const MAX_STATUS = 599

/** Measures the calls to upstreams. The label of an upstream is its name, because its instances change. */
export function createUpstreamMetrics(sources: Sources) {
  const durations = createHistogram(sources, {
    name: 'http_client_request_duration_seconds',
    help: 'Duration of HTTP requests to upstreams. Each retry is a request.',
    bounds: BOUNDS,
  })
  const reports: (() => UpstreamReport)[] = []
  const readAll = (read: (report: UpstreamReport) => readonly { labels: object; value: number }[]) => () =>
    reports.flatMap((report) => {
      const current = report()
      return read(current).map(({ labels, value }) => ({ labels: { upstream: current.upstream, ...labels }, value }))
    })

  const { gauge, counter } = sources
  gauge(
    'http_client_active_requests',
    'HTTP requests to upstreams in progress.',
    readAll(({ instances }) => [{ labels: {}, value: sum(instances.map(({ inFlight }) => inFlight)) }]),
  )
  gauge(
    'http_client_open_connections',
    'Connections to upstreams.',
    readAll(({ instances }) => [
      {
        labels: { http_connection_state: 'active' },
        value: sum(instances.map(({ activeConnections }) => activeConnections)),
      },
      {
        labels: { http_connection_state: 'idle' },
        value: sum(instances.map(({ idleConnections }) => idleConnections)),
      },
    ]),
  )
  gauge(
    'upstream_circuit_state',
    'Whether the circuit is in this state.',
    readAll(({ circuit }) => STATES.map((state) => ({ labels: { state }, value: Number(state === circuit) }))),
  )
  gauge(
    'upstream_instances',
    'Instances in use, and instances that receive no requests because their connections fail.',
    readAll(({ instances }) => {
      const ejected = instances.filter(({ isEjected }) => isEjected).length
      return [
        { labels: { state: 'active' }, value: instances.length - ejected },
        { labels: { state: 'ejected' }, value: ejected },
      ]
    }),
  )
  gauge(
    'upstream_retry_budget',
    'Retries that the budget allows now.',
    readAll(({ retriesLeft }) => [{ labels: {}, value: retriesLeft }]),
  )
  counter(
    'upstream_retries_total',
    'Retries that were sent, and retries that the budget refused.',
    readAll(({ retries, retriesWithoutBudget }) => [
      { labels: { result: 'sent' }, value: retries },
      { labels: { result: 'refused' }, value: retriesWithoutBudget },
    ]),
  )
  counter(
    'upstream_rejected_calls_total',
    'Calls that were not sent because the circuit was open or too many were in progress.',
    readAll(({ rejectedByBreaker, rejectedByConcurrency }) => [
      { labels: { reason: 'circuit' }, value: rejectedByBreaker },
      { labels: { reason: 'concurrency' }, value: rejectedByConcurrency },
    ]),
  )
  counter(
    'upstream_fallbacks_total',
    'Failed calls whose callers got the value of a fallback instead of the error.',
    readAll(({ fallbacks }) => [{ labels: {}, value: fallbacks }]),
  )

  return {
    /** Adds the state of an upstream, which is read at each scrape. */
    report: (report: () => UpstreamReport) => void reports.push(report),
    /** Returns a function that measures the attempts of an upstream. */
    observe(upstream: string) {
      const byKey = new Map<string, ReturnType<typeof durations.addSeries>>()
      return function observe({ method: given, status: sent, errorType: type = '', durationMs }: Attempt): void {
        const method = METHODS.has(given) ? given : '_OTHER'
        const [status, errorType] = (sent ?? 0) > MAX_STATUS ? ['_OTHER', '_OTHER'] : [sent, type]
        const key = `${method} ${status} ${errorType}`
        let series = byKey.get(key)
        if (series === undefined) {
          series = durations.addSeries({
            upstream,
            http_request_method: method,
            http_response_status_code: String(status ?? ''),
            error_type: errorType,
          })
          byKey.set(key, series)
        }
        series.observe(durationMs / 1e3)
      }
    },
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
