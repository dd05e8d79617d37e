import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Histogram, Registry } from 'prom-client'
import { createMetrics } from '../pkg/metrics/index.ts'
import type { Measurement } from './measurement.ts'

const ROUTES = 200
/** The first scrapes compile the code. */
const WARM_UP = 20

/** Creates the metrics of a service that has served each of 200 routes once. */
function createServed() {
  const registry = new Registry()
  const { http, render, stop } = createMetrics({ registry })
  const routes = Array.from({ length: ROUTES }, (_, index) => ({ path: `/v1/things-${index}/:id` }))
  for (const route of routes) {
    http.bind(route)
    const req = { method: 'GET', route } as unknown as IncomingMessage
    const res = Object.assign(new EventEmitter(), { req, statusCode: 200, headersSent: true })
    http.measure(() => res.emit('close'))(req, res as unknown as ServerResponse<IncomingMessage>)
  }
  return { render, stop }
}

/** Creates the same series with the histogram of prom-client. */
function createPeer() {
  const registry = new Registry()
  const histogram = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Duration of HTTP requests.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 0.8, 1, 2.5, 5, 7.5, 10],
    registers: [registry],
  })
  for (let index = 0; index < ROUTES; index++) {
    const labels = {
      http_request_method: 'GET',
      http_route: `/v1/things-${index}/:id`,
      http_response_status_code: '200',
    }
    histogram.observe(labels, 0.001)
  }
  return registry
}

/** Measures scrapes of 200 series, which are 3,600 lines, in this process. */
export async function measureScrapes({ quick }: { readonly quick: boolean }): Promise<Measurement[]> {
  const { render, stop } = createServed()
  const peer = createPeer()
  const scrapes: Readonly<Record<string, () => Promise<unknown>>> = {
    'prom-client': () => peer.metrics(),
    service: () => render(),
    'service, OpenMetrics': () => render('application/openmetrics-text'),
  }
  const rows = Object.fromEntries(Object.keys(scrapes).map((row) => [row, [] as number[]]))
  for (let round = -WARM_UP; round < (quick ? 50 : 200); round++) {
    for (const [row, scrape] of Object.entries(scrapes)) {
      const startedAt = performance.now()
      await scrape()
      if (round >= 0) rows[row]?.push(performance.now() - startedAt)
    }
  }
  stop()
  return [{ name: 'scrape', title: `A scrape of ${ROUTES} series of routes`, unit: 'ms', base: 'prom-client', rows }]
}
