import { existsSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { fetchHealth, killApps, type RunningApp, runApp, startApp } from '../../test/support/app.ts'
import { startAlertmanager } from '../../test/support/deploy/alertmanager.ts'
import { shorten } from '../../test/support/deploy/shorten.ts'
import { SECRET, startWecom } from '../../test/support/deploy/wecom.ts'
import { freePort, type TestService, testPostgres, testRedis, until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'
import { askPrometheus } from './ask-prometheus.ts'
import { buildFaulty } from './build-faulty.ts'
import { readRules } from './rules.ts'
import { type Prometheus, startPrometheus } from './start-prometheus.ts'
import { startTraffic, type Traffic } from './traffic.ts'

/*
 * Prometheus and Alertmanager watch two instances of the artifact under load. Each test injects a fault, and waits until
 * the alert fires, arrives at a stand-in for WeCom, and resolves. All times of the rules and of Alertmanager are divided by
 * FACTOR: five minutes become two seconds, and six hours 144 s. The interval between two scrapes is longer than its share,
 * because a scrape must end within it.
 */
const FACTOR = 150
const SCRAPE_INTERVAL = '500ms'
jest.setTimeout(300_000)

const { alerts, records } = readRules()
const directory = temporaryDirectory('alerts')
const alertmanagerFolder = join(import.meta.dirname, '../alertmanager')
const program = [process.execPath, join(directory, 'server.cjs')]

let startedAt: number
let database: TestService
let redis: TestService
let wecom: Awaited<ReturnType<typeof startWecom>>
let alertmanager: Awaited<ReturnType<typeof startAlertmanager>> | undefined
let prometheus: Prometheus
let ask: ReturnType<typeof askPrometheus>
let traffic: Traffic
const instances: Record<'a' | 'b', { readonly port: number; app: RunningApp }> = {} as never

async function start(port: number): Promise<RunningApp> {
  const app = await startApp({
    program,
    env: {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      ADMIN_PORT: String(port),
      HEALTH_INTERVAL_MS: '200',
      HEALTH_TIMEOUT_MS: '200',
    },
  })
  await until(async () => (await fetchHealth(app)).status === 'ok')
  return app
}

beforeAll(async () => {
  await needTools(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager')
  ;[database, redis, wecom] = await Promise.all([testPostgres(), testRedis(), startWecom(), buildFaulty(program[1]!)])
  expect(await runApp(['migrate'], { program, env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  for (const name of ['a', 'b'] as const) {
    const port = await freePort()
    instances[name] = { port, app: await start(port) }
  }
  if (existsSync(alertmanagerFolder)) {
    alertmanager = await startAlertmanager({
      folder: alertmanagerFolder,
      directory: join(directory, 'alertmanager'),
      wecom: { url: wecom.url, secret: SECRET },
      factor: FACTOR,
    })
  }
  startedAt = Date.now()
  prometheus = await startPrometheus({
    directory: join(directory, 'prometheus'),
    targets: Object.values(instances).map(({ port }) => `127.0.0.1:${port}`),
    ...(alertmanager && { alertmanager: `127.0.0.1:${alertmanager.port}` }),
    factor: FACTOR,
    scrapeInterval: SCRAPE_INTERVAL,
  })
  ask = askPrometheus(prometheus)
  traffic = startTraffic(instances.a.app.url, 25)
})

interface Row {
  readonly alert: string
  readonly fault: string
  readonly times: readonly number[]
}
const rows: Row[] = []

afterAll(async () => {
  await traffic?.stop()
  await prometheus?.stop()
  await alertmanager?.stop()
  await killApps()
  await Promise.all([database?.stop(), redis?.stop(), wecom?.stop()])
  const lines = rows.map(
    ({ alert, fault, times }) =>
      `| \`${alert}\` | ${fault} | ${times.map((ms) => (ms / 1e3).toFixed(1)).join(' | ')} |`,
  )
  const head = ['| alert | fault | fired | delivered | resolved | delivered |', '| --- | --- | --- | --- | --- | --- |']
  process.stdout.write(`Seconds from the start of the fault, and from its end:\n${[...head, ...lines].join('\n')}\n`)
})

/** Waits for a message about the alert. Without Alertmanager there is none. @returns its time */
async function arrival(status: string, alert: string, since: number): Promise<number> {
  if (alertmanager === undefined) return since
  const text = `**${status}**</font> ${alert} ·`
  const find = () => wecom.messages.find(({ at, content }) => at >= since && content.includes(text))
  await until(() => find() !== undefined, 200_000)
  return find()!.at
}

/** Follows an alert from the start of a fault on. */
function follow(alert: string, injectedAt: number) {
  const fires = async () => (await ask.firing()).includes(alert)
  const fired = until(fires, 60_000).then(() => Date.now())
  const delivered = arrival('FIRING', alert, injectedAt)
  return {
    fired,
    delivered,
    /** Waits until the alert has resolved, and adds a row to the table. */
    async resolve(fault: string, endedAt: number): Promise<void> {
      await until(async () => !(await fires()), 200_000)
      const resolvedAt = Date.now()
      const arrivedAt = await arrival('RESOLVED', alert, endedAt)
      const times = [
        (await fired) - injectedAt,
        (await delivered) - injectedAt,
        resolvedAt - endedAt,
        arrivedAt - endedAt,
      ]
      rows.push({ alert, fault, times })
    },
  }
}

interface Fault {
  readonly fault: string
  readonly alerts: readonly string[]
  /** Alerts that the fault fires, too, and that resolve long after its end. */
  readonly late?: readonly string[]
  readonly start: () => unknown
  readonly end: () => unknown
}

const late: Promise<unknown>[] = []

async function inject(fault: Fault): Promise<void> {
  const injectedAt = Date.now()
  await fault.start()
  const own = fault.alerts.map((alert) => follow(alert, injectedAt))
  const others = (fault.late ?? []).map((alert) => follow(alert, injectedAt))
  await Promise.all([...own, ...others].map(({ fired }) => fired))
  await Promise.all(own.map(({ delivered }) => delivered))
  await fault.end()
  const endedAt = Date.now()
  late.push(...others.map((other) => other.resolve(fault.fault, endedAt).catch((error: unknown) => error)))
  await Promise.all(own.map((each) => each.resolve(fault.fault, endedAt)))
}

const pings = () => {
  traffic.path = () => '/ping'
}
const mix = (every: number, path: string) => () => {
  traffic.path = (count) => (count % every === 0 ? path : '/ping')
}

/** Fills the pipe of the output and the buffer behind it, then reads the output again. */
async function blockOutput(): Promise<void> {
  const { app } = instances.b
  app.holdOutput()
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const path = `/${'x'.repeat(1_000)}`
  const send = () =>
    new Promise((resolve, reject) => {
      get(app.url + path, { agent }, (response) => response.resume().once('end', resolve)).once('error', reject)
    })
  await Promise.all(Array.from({ length: 2_000 }, send))
  agent.destroy()
  app.readOutput()
}

async function kill(name: 'a' | 'b'): Promise<void> {
  instances[name].app.signal('SIGKILL')
  await instances[name].app.ended
}

async function restart(name: 'a' | 'b'): Promise<void> {
  instances[name].app = await start(instances[name].port)
}

async function restartThreeTimes(): Promise<void> {
  const instance = `127.0.0.1:${instances.b.port}`
  const query = `changes(process_start_time_seconds{instance="${instance}"}[1h])`
  const changes = async () => Number((await ask.range(query, Date.now() - 250))[0]?.values.at(-1)?.[1])
  const before = await changes()
  for (let count = 1; count <= 3; count++) {
    await kill('b')
    await restart('b')
    await until(async () => (await changes()) === before + count)
  }
}

const targets = () => Object.values(instances).map(({ port }) => `127.0.0.1:${port}`)

// The errors come first: the last of their alerts takes 144 s to resolve.
const FAULTS: readonly Fault[] = [
  {
    fault: '5 % of the requests fail',
    alerts: ['ErrorRateHigh', 'ErrorBudgetBurnFast'],
    late: ['ErrorBudgetBurn', 'ErrorBudgetBurnSlow'],
    start: mix(20, '/faults/error'),
    end: pings,
  },
  {
    fault: '10 % of the requests run a query of 1.2 s',
    alerts: ['LatencyP99High'],
    start: mix(10, '/faults/query?ms=1200'),
    end: pings,
  },
  {
    fault: 'every 500 ms a request blocks the loop for 350 ms',
    alerts: ['EventLoopStalled'],
    start: mix(20, '/faults/block?ms=350'),
    end: pings,
  },
  {
    fault: '20 transactions of 600 ms each second, on 10 connections',
    alerts: ['DatabasePoolExhausted'],
    start: mix(2, '/faults/transaction?ms=600'),
    end: pings,
  },
  {
    fault: '`kill -9` of PostgreSQL',
    alerts: ['DependencyDown'],
    start: () => database.kill(),
    end: () => database.restart(),
  },
  {
    fault: 'the reader of the output stops, and 2 MB of log lines follow',
    alerts: ['LogLinesDropped'],
    start: blockOutput,
    end: () => {},
  },
  { fault: '`kill -9` of one instance', alerts: ['TargetDown'], start: () => kill('b'), end: () => restart('b') },
  { fault: '`kill -9` and a start, three times', alerts: ['RestartLoop'], start: restartThreeTimes, end: () => {} },
  {
    fault: 'the discovery finds no instance',
    alerts: ['TargetsMissing'],
    start: () => prometheus.setTargets([]),
    end: () => prometheus.setTargets(targets()),
  },
]

test('every alert has a fault', () => {
  const injected = FAULTS.flatMap(({ alerts, late = [] }) => [...alerts, ...late])
  expect(injected.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted())
})

test('under a healthy load no alert fires', async () => {
  // The discovery of Prometheus takes some seconds, and TargetsMissing fires meanwhile.
  const isWatched = async () => (await ask.range('job:http_server_requests:rate5m > 1', Date.now() - 1_000)).length > 0
  await until(async () => (await isWatched()) && (await ask.firing()).length === 0, 60_000)
  const healthyAt = Date.now()
  await until(async () => {
    const [requests] = await ask.range('job:http_server_requests:rate5m > 1', healthyAt)
    return (requests?.values.length ?? 0) >= 40
  }, 60_000)
  expect(await ask.range('ALERTS{alertstate="firing"}', healthyAt)).toEqual([])
})

test.each(FAULTS)('$alerts fires, arrives and resolves when $fault', inject)

test('the alerts of the error budget resolve when their short windows have passed', async () => {
  const t = setInterval(async () => {
    console.log(
      (await ask.range('job:http_server_request_errors:ratio_rate6h', Date.now() - 1000)).map((s) => s.values.at(-1)),
      (
        await ask.range(
          'sum by (http_response_status_code,http_route)(increase(http_server_request_duration_seconds_count{http_response_status_code=~"5.."}[10m]))',
          Date.now() - 1000,
        )
      ).map((s) => [s.metric, s.values.at(-1)]),
    )
  }, 20000)
  expect(await Promise.all(late)).toEqual([undefined, undefined])
  clearInterval(t)
})

test('every expression of the rules has returned a series', async () => {
  const expressions = [...records, ...alerts].map(({ expr }) => shorten(expr, FACTOR))
  const counts = await Promise.all(expressions.map(async (expr) => [expr, (await ask.range(expr, startedAt)).length]))
  expect(counts.filter(([, count]) => count === 0)).toEqual([])
})
