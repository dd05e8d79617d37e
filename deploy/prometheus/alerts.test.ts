import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { listQueries, readDashboards } from '../../test/support/deploy/dashboards.ts'
import { shorten } from '../../test/support/prometheus.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'
import { FAULTS, type Fault } from './harness/faults.ts'
import { readRules } from './harness/rules.ts'
import { startWatchedService, type WatchedService } from './harness/watched-service.ts'

/*
 * Prometheus and Alertmanager watch the artifact under load. Each test injects a fault, and waits until the alert
 * fires, arrives at a stand-in for WeCom, and resolves.
 */
jest.setTimeout(300_000)

/**
 * The divisor of all durations in the rules and in Alertmanager: five minutes become 2 s, and six hours become 144 s.
 */
const FACTOR = 150
/** A test waits for the longest window of its alerts, on a machine that may be busy. */
const PATIENCE_MS = 250_000

const JOB = 'my-service'
/** The load of a healthy service. `/faults/failing-query` responds with 200 although its query fails. */
const HEALTHY = ['/ping', '/faults/query?ms=1', '/ping', '/faults/failing-query']

const { alerts, records } = readRules()
let service: WatchedService

beforeAll(async () => {
  await needTools(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager')
  service = await startWatchedService({
    directory: temporaryDirectory('alerts'),
    factor: FACTOR,
    scrapeInterval: '500ms',
  })
})

const rows: string[] = []
afterAll(async () => {
  await service?.stop()
  const head = ['| alert | fault | fires | message | resolves | message |', '| --- | --- | --- | --- | --- | --- |']
  process.stdout.write(`Seconds after the start of the fault, and after its end:\n${[...head, ...rows].join('\n')}\n`)
})

/** Waits for a message about the alert. @returns its time, or `since` without Alertmanager */
async function arrival(status: string, alert: string, since: number): Promise<number> {
  const { messages } = service
  if (messages === undefined) return since
  const text = `**${status}**</font> ${alert} ·`
  const find = () => messages.find(({ at, content }) => at >= since && content.includes(text))
  await until(() => find() !== undefined, PATIENCE_MS)
  return find()!.at
}

/** Follows an alert from the start of a fault on. */
function follow(alert: string, injectedAt: number) {
  const fires = async () => (await service.ask.firing()).includes(alert)
  const fired = until(fires, PATIENCE_MS).then(() => Date.now())
  const delivered = arrival('FIRING', alert, injectedAt)
  // A test that fails earlier awaits neither of them.
  for (const promise of [fired, delivered]) promise.catch(() => {})
  return {
    fired,
    delivered,
    /** Waits until the alert has resolved, and adds a row to the table. */
    async resolve(fault: string, endedAt: number, patienceMs = PATIENCE_MS): Promise<void> {
      await until(async () => !(await fires()), patienceMs)
      const resolvedAt = Date.now()
      const starts = [await fired, await delivered].map((at) => at - injectedAt)
      const ends = [resolvedAt, await arrival('RESOLVED', alert, endedAt)].map((at) => at - endedAt)
      const times = [...starts, ...ends].map((ms) => (ms > 0 ? (ms / 1e3).toFixed(1) : '–'))
      rows.push(`| \`${alert}\` | ${fault} | ${times.join(' | ')} |`)
    },
  }
}

const late: Promise<unknown>[] = []

async function inject(fault: Fault): Promise<void> {
  const injectedAt = Date.now()
  const own = fault.alerts.map((alert) => follow(alert, injectedAt))
  const others = (fault.late ?? []).map((alert) => follow(alert, injectedAt))
  await fault.start(service)
  await Promise.all([...own, ...others].map(({ fired }) => fired))
  await Promise.all(own.map(({ delivered }) => delivered))
  await fault.end(service)
  const endedAt = Date.now()
  late.push(...others.map((other) => other.resolve(fault.fault, endedAt, Infinity).catch((error: unknown) => error)))
  await Promise.all(own.map((each) => each.resolve(fault.fault, endedAt)))
}

test('every alert has a fault', () => {
  const injected = FAULTS.flatMap(({ alerts, late = [] }) => [...alerts, ...late])
  expect(injected.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted())
})

test('under a healthy load no alert fires', async () => {
  const { ask, traffic } = service
  traffic.path = (count) => HEALTHY[count % HEALTHY.length]!
  // The load repeats every 100 ms, so an alert that the service causes fires in every window. A window without alerts
  // shows that earlier alerts came from a busy machine, or from the discovery, during which TargetsMissing fires.
  let firing: unknown
  async function isHealthy(): Promise<boolean> {
    const from = Date.now() - 5_000
    const [loaded, alerts] = await Promise.all([
      ask.range('job:http_server_requests:rate5m > 1', from),
      ask.range('ALERTS{alertstate="firing"}', from),
    ])
    firing = alerts.map(({ metric }) => metric)
    return alerts.length === 0 && loaded.some(({ values }) => values.length >= 20)
  }
  await until(isHealthy, PATIENCE_MS).catch((cause) => {
    throw new Error(`no window of 5 s had load without an alert: ${JSON.stringify(firing)}`, { cause })
  })
})

test.each(FAULTS)('$alerts: fires, arrives and resolves when $fault', inject)

test('the alerts of the error budget resolve when their short windows have passed', async () => {
  // On a busy machine, the overload protection refuses some requests without a fault. These refusals would prolong the
  // alerts.
  await Promise.all([service.traffic.stop(), service.protectedTraffic.stop()])
  expect(await Promise.all(late)).toEqual([undefined, undefined])
})

test('every expression of the rules and the dashboards has returned a series', async () => {
  const { ask, startedAt } = service
  const dashboards = readDashboards(join(import.meta.dirname, '../grafana/dashboards'))
  const queries = dashboards.flatMap((dashboard) => listQueries(dashboard, JOB, '5m'))
  const expressions = [...[...records, ...alerts].map(({ expr }) => expr), ...queries]
  const counts = await Promise.all(
    expressions.map(async (expr) => [expr, (await ask.range(shorten(expr, FACTOR), startedAt)).length] as const),
  )
  process.stdout.write(`${counts.length} expressions of rules and panels have returned a series\n`)
  expect(counts.filter(([, count]) => count === 0)).toEqual([])
})
