import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from '@jest/globals'
import { Registry } from 'prom-client'
import request from 'supertest'
import type { Sink } from '#pkg/bridge/index.ts'
import { upstreamReport } from '../../test/support/upstream-report.ts'
import { addMetrics } from '../discovery.ts'
import { createBridgeMetrics } from './bridge-metrics.ts'
import { createJobMetrics } from './job-metrics.ts'
import { type Counts, createServiceMetrics } from './metrics.ts'
import { createUpstreamMetrics } from './upstream-metrics.ts'

const running: { stop(): void }[] = []
afterEach(() => {
  for (const { stop } of running.splice(0)) stop()
})

const noCounts: Counts = { reloads: 0, failedReloads: 0, isCountingAlone: false }

function create({ counts = noCounts, droppedLines = 0 }: { counts?: Counts; droppedLines?: number } = {}) {
  const registry = new Registry()
  const metrics = createServiceMetrics({
    service: 'orders',
    version: '1.2.3',
    counts,
    droppedLines: () => droppedLines,
    phase: () => 'draining',
    snapshot: () => ({
      checks: {
        database: { status: 'ok', critical: true, latencyMs: 1, checkedAt: 0 },
        mail: { status: 'fail', critical: false, reason: 'timeout', checkedAt: 0 },
      },
    }),
    registry,
  })
  running.push(metrics)
  return { ...metrics, registry, render: async () => (await metrics.render()).text }
}

const admission = {
  level: () => ({ limit: 250, cut: 200, share: 0.5, isBrownout: true, pressedS: 9, costS: 0.003 }),
  averageWaitMs: () => 12,
  queued: () => 7,
  refused: () => new Map([['background', { limit: 1, brownout: 2, wait: 3 }] as const]),
}

test('docs/metrics.md lists each metric with its type, its labels and its meaning', async () => {
  const metrics = create()
  const { registry, observeDatabase, observeRedis, observeSpans, observeAdmission, http, render } = metrics
  const database = observeDatabase()
  database.onPool(() => ({ used: 0, idle: 0, waiting: 0 }))
  database.onQuery('SELECT', 1)
  observeRedis(() => true)
  observeSpans({ exported: 0, lost: { queue_full: 0, export_failed: 0, rejected: 0, stopped: 0 } })
  const upstreams = createUpstreamMetrics(metrics.sources)
  upstreams.report(upstreamReport)
  upstreams.observe('payments')({ method: 'GET', status: 200, errorType: undefined, durationMs: 20 })
  observeAdmission(admission)
  addMetrics(metrics.sources, () => true, new Map([['renew ok', 1]]))
  createJobMetrics(metrics.sources)({ type: 'run ended', job: 'report', result: 'ok', durationMs: 1 })
  const bridge = createBridgeMetrics(metrics.sources)
  const sink: Sink = { publish: async () => {} }
  await bridge.measureSink('publish', sink).publish([])
  await request(http.measure((_req, res) => void res.end())).get('/')
  await render()
  const rows = []
  for (const metric of await registry.getMetricsAsJSON()) {
    const { name, type, help, values } = metric
    const labels = new Set(values.flatMap(({ labels = {} }) => Object.keys(labels)))
    labels.delete('le')
    rows.push(`| \`${name}\` | ${type} | ${[...labels].map((label) => `\`${label}\``).join(', ')} | ${help} |`)
  }
  const page = readFileSync('docs/metrics.md', 'utf8')
  expect(page.match(/^\| `[a-z].*$/gm)).toEqual(rows)
})

test('the phase, the checks and the counted events are read at each scrape', async () => {
  const counts = { ...noCounts }
  const { render } = create({ counts, droppedLines: 7 })
  const before = await render()
  expect(before).toContain('target_info{service_name="orders",service_version="1.2.3",process_runtime_version="')
  expect(before).toContain('service_phase{phase="serving"} 0\nservice_phase{phase="draining"} 1\n')
  expect(before).toContain('health_check_status{check="database"} 1\nhealth_check_status{check="mail"} 0\n')
  expect(before).toContain('log_lines_dropped_total 7\n')
  Object.assign(counts, { reloads: 2, failedReloads: 1, isCountingAlone: true })
  const after = await render()
  expect(after).toContain('settings_reloads_total{result="ok"} 2\nsettings_reloads_total{result="fail"} 1\n')
  expect(after).toContain('rate_limit_counting_alone 1\n')
})

test('queries count by operation and SQLSTATE, and the pool shows its connections, its waits and its timeouts', async () => {
  const { observeDatabase, render } = create()
  expect(await render()).not.toContain('db_client_connection_pending_requests')
  const database = observeDatabase()
  database.onPool(() => ({ used: 3, idle: 2, waiting: 4 }))
  database.onQuery('SELECT', 2)
  database.onQuery('SELECT', 4)
  database.onQuery('_OTHER', 1)
  database.onQuery('INSERT', 1, Object.assign(new Error('duplicate'), { code: '23505' }))
  for (let index = 0; index < 100; index++) database.onQuery('UPDATE', 1, new Error(`lost ${index}`))
  database.onWait(20, true)
  database.onWait(3_000, false)
  const text = await render()
  expect(text.match(/^db_client_operation_duration_seconds_count.*$/gm)).toEqual([
    'db_client_operation_duration_seconds_count{db_system_name="postgresql",db_operation_name="SELECT",error_type=""} 2',
    'db_client_operation_duration_seconds_count{db_system_name="postgresql",db_operation_name="_OTHER",error_type=""} 1',
    'db_client_operation_duration_seconds_count{db_system_name="postgresql",db_operation_name="INSERT",error_type="23505"} 1',
    'db_client_operation_duration_seconds_count{db_system_name="postgresql",db_operation_name="UPDATE",error_type="_OTHER"} 100',
  ])
  const pool = 'db_client_connection_pool_name="database"'
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      `db_client_connections{${pool},db_client_connection_state="used"} 3`,
      `db_client_connections{${pool},db_client_connection_state="idle"} 2`,
      `db_client_connection_pending_requests{${pool}} 4`,
      `db_client_connection_wait_time_seconds_sum{${pool}} 3.02`,
      `db_client_connection_timeouts_total{${pool}} 1`,
    ]),
  )
})

test('the metrics show the limit, the queue, the brownout and the refusals of the admission', async () => {
  const { observeAdmission, render } = create()
  observeAdmission(admission)
  const text = await render()
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'overload_wait_seconds 0.012',
      'overload_queued_requests 7',
      'overload_limit_requests_per_second 250',
      'overload_brownout 1',
      'overload_refused_requests_total{priority="background",reason="limit"} 1',
      'overload_refused_requests_total{priority="background",reason="brownout"} 2',
      'overload_refused_requests_total{priority="background",reason="wait"} 3',
    ]),
  )
})

test('a service without overload has no limit', async () => {
  const { observeAdmission, render } = create()
  observeAdmission({ ...admission, level: () => ({ ...admission.level(), limit: Infinity }) })
  expect(await render()).toContain('overload_limit_requests_per_second +Inf\n')
})
