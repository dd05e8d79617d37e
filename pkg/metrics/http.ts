import type { RequestListener, ServerResponse } from 'node:http'
import type { Request } from 'express'
import { createHistogram, type Series } from './histogram.ts'
import type { Labels, Sources } from './sources.ts'

export interface HttpMetricsOptions {
  /** Returns the labels that identify a request in the log or in a trace. @default no exemplars */
  readonly exemplar?: (request: Request) => Labels | undefined
}

/** https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 0.8, 1, 2.5, 5, 7.5, 10]
const METHODS = ['_OTHER', 'CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']
const INDEXES = new Map(METHODS.map((method, index) => [method, index]))

const startedAt = Symbol('started at')
type Measured = ServerResponse & { [startedAt]?: number }

/**
 * Measures the requests of an Express app. Labels come from routes, known methods and statuses, so the number of series
 * is limited.
 */
export function createHttpMetrics(sources: Sources, { exemplar }: HttpMetricsOptions) {
  let active = 0
  sources.gauge('http_server_active_requests', 'HTTP requests in progress.', () => active)
  const durations = createHistogram(sources, {
    name: 'http_server_request_duration_seconds',
    help: 'Duration of HTTP requests.',
    bounds: BOUNDS,
  })

  /** Returns a function that finds the series of a method and a status. Status 0 means that no response was sent. */
  function createFind(route: string) {
    const series = new Map<number, Series>()
    return function find(method: string, status: number): Series {
      const index = INDEXES.get(method) ?? 0
      const found = series.get(index * 1000 + status)
      if (found !== undefined) return found
      const added = durations.addSeries({
        http_request_method: METHODS[index] ?? '',
        http_route: route,
        http_response_status_code: status === 0 ? '' : String(status),
      })
      series.set(index * 1000 + status, added)
      return added
    }
  }

  const routes = new Map<unknown, ReturnType<typeof createFind>>()
  const findUnknown = createFind('')

  function finish(this: Measured): void {
    active--
    const req = this.req as Request
    const find = routes.get(req.route) ?? findUnknown
    const seconds = (performance.now() - (this[startedAt] as number)) / 1e3
    find(req.method, this.headersSent ? this.statusCode : 0).observe(seconds, exemplar?.(req))
  }

  return {
    /** Measures each request until its response has been sent or its connection has broken. */
    measure: (app: RequestListener): RequestListener =>
      function measured(req, res: Measured) {
        active++
        res[startedAt] = performance.now()
        res.on('close', finish)
        app(req, res)
      },
    /** Prepares the series of a route. Requests of any other route count as requests of an unknown path. */
    bind: (route: { readonly path: string }) => void routes.set(route, createFind(route.path)),
  }
}
