import { afterEach, expect, test } from '@jest/globals'
import { Registry } from 'prom-client'
import { createMetrics } from '#pkg/metrics/index.ts'
import { upstreamReport } from '../../test/support/upstream-report.ts'
import { createUpstreamMetrics } from './upstream-metrics.ts'

const running: { stop(): void }[] = []
afterEach(() => {
  for (const { stop } of running.splice(0)) stop()
})

function create() {
  const metrics = createMetrics({ registry: new Registry() })
  running.push(metrics)
  return { sources: metrics.sources, render: async () => (await metrics.render()).text }
}

test('calls count by upstream, method, status and error, and the state of an upstream is read at each scrape', async () => {
  const { sources, render } = create()
  const upstreams = createUpstreamMetrics(sources)
  const observe = upstreams.observe('payments')
  upstreams.report(upstreamReport)
  observe({ method: 'GET', status: 200, errorType: undefined, durationMs: 20 })
  observe({ method: 'GET', status: 503, errorType: '503', durationMs: 20 })
  observe({ method: 'POST', status: undefined, errorType: 'timeout', durationMs: 200 })
  for (let index = 0; index < 100; index++) {
    observe({ method: `X${index}`, status: 200, errorType: undefined, durationMs: 1 })
  }
  const text = await render()
  const labels = (method: string, status: string, error: string) =>
    `{upstream="payments",http_request_method="${method}",http_response_status_code="${status}",error_type="${error}"}`
  expect(text.match(/^http_client_request_duration_seconds_count.*$/gm)).toEqual([
    `http_client_request_duration_seconds_count${labels('GET', '200', '')} 1`,
    `http_client_request_duration_seconds_count${labels('GET', '503', '503')} 1`,
    `http_client_request_duration_seconds_count${labels('POST', '', 'timeout')} 1`,
    `http_client_request_duration_seconds_count${labels('_OTHER', '200', '')} 100`,
  ])
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'http_client_active_requests{upstream="payments"} 3',
      'http_client_open_connections{upstream="payments",http_connection_state="active"} 3',
      'http_client_open_connections{upstream="payments",http_connection_state="idle"} 5',
      'upstream_circuit_state{upstream="payments",state="closed"} 0',
      'upstream_circuit_state{upstream="payments",state="half-open"} 1',
      'upstream_instances{upstream="payments",state="active"} 2',
      'upstream_instances{upstream="payments",state="ejected"} 1',
      'upstream_retry_budget{upstream="payments"} 9.5',
      'upstream_retries_total{upstream="payments",result="sent"} 4',
      'upstream_retries_total{upstream="payments",result="refused"} 2',
      'upstream_rejected_calls_total{upstream="payments",reason="circuit"} 7',
      'upstream_rejected_calls_total{upstream="payments",reason="concurrency"} 1',
      'upstream_fallbacks_total{upstream="payments"} 5',
    ]),
  )
})

test('statuses that HTTP does not define share one series of an upstream', async () => {
  const { sources, render } = create()
  const observe = createUpstreamMetrics(sources).observe('payments')
  for (let status = 599; status <= 999; status++) {
    observe({ method: 'GET', status, errorType: String(status), durationMs: 1 })
  }
  const text = await render()
  const labels = 'upstream="payments",http_request_method="GET"'
  expect(text.match(/^http_client_request_duration_seconds_count.*$/gm)).toEqual([
    `http_client_request_duration_seconds_count{${labels},http_response_status_code="599",error_type="599"} 1`,
    `http_client_request_duration_seconds_count{${labels},http_response_status_code="_OTHER",error_type="_OTHER"} 400`,
  ])
})
