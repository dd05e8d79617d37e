import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { setInterval } from 'node:timers/promises'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type FakePayments, PAYMENT, startFakePayments } from '../../test/payments/fake.ts'
import { findLines, killApps, type RunningApp, startApp } from '../../test/support/app.ts'
import { type Alerting, startAlerting } from '../../test/support/deploy/start-alerting.ts'
import { freePort, until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { needTools } from '../../test/support/tools.ts'

/*
 * Prometheus and Alertmanager watch the artifact. Its upstream responds to a third of the calls with an error, which is
 * too few for the client's own circuit breaker. The responder opens the breaker of this upstream. RESPOND_TIMES=long
 * uses a scrape every 5 s and `for: 15s`.
 */
jest.setTimeout(180_000)
const PATIENCE_MS = 150_000

const IS_LONG = process.env['RESPOND_TIMES'] === 'long'
const TIMES = IS_LONG
  ? { scrape: '5s', window: '15s', for: '15s', repeat: '5s' }
  : // On a busy machine, some scrapes fail. The alert needs two scrapes in the window.
    { scrape: '1s', window: '8s', for: '2s', repeat: '1s' }
/** Longer than the test, which ends the cool-down itself. */
const COOLDOWN_S = 3_600

const directory = temporaryDirectory('respond')
const settingsFile = join(directory, 'settings.json')
const settings = () => JSON.parse(readFileSync(settingsFile, 'utf8')) as Record<string, unknown>

let fake: FakePayments
let app: RunningApp
let env: Readonly<Record<string, string>>
const responders: RunningApp[] = []
let responder: RunningApp
let alerting: Alerting
const end = new AbortController()
let calling: Promise<void>

const stateFile = join(directory, 'state.json')

async function startResponder(): Promise<void> {
  responder = await alerting.startResponder(env)
  responders.push(responder)
}

/** Kills the responder, and starts it again after `change`. */
async function restartResponder(change: () => void = () => {}): Promise<void> {
  responder.signal('SIGKILL')
  await responder.ended
  change()
  await startResponder()
}

/** Calls the upstream through the service 20 times a second. A slow response does not delay later requests. */
async function call(): Promise<void> {
  try {
    for await (const _ of setInterval(50, undefined, { signal: end.signal })) {
      get(`${app.url}/v1/payments/pay_1`, (response) => response.resume()).on('error', () => {})
    }
  } catch (error) {
    if (!end.signal.aborted) throw error
  }
}

beforeAll(async () => {
  await needTools(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager')
  fake = await startFakePayments()
  writeFileSync(settingsFile, '{"LOG_LEVEL":"info"}')
  const rules = JSON.parse(readFileSync(join(import.meta.dirname, 'rules.json'), 'utf8'))
  for (const rule of rules.rules) rule.cooldownSeconds = COOLDOWN_S
  writeFileSync(join(directory, 'rules.json'), JSON.stringify(rules))
  const port = await freePort()
  env = { UPSTREAMS: `payments=${fake.origin}`, SETTINGS_FILE: settingsFile }
  app = await startApp({ env: { ...env, ADMIN_PORT: String(port) } })
  alerting = await startAlerting({
    directory,
    targets: [`127.0.0.1:${port}`],
    times: TIMES,
  })
  await startResponder()
  calling = call()
}, 300_000)

afterAll(async () => {
  end.abort()
  await calling
  await alerting?.stop()
  await killApps()
  await fake?.stop()
})

const OK = JSON.stringify(PAYMENT)
const at = (line: Readonly<Record<string, unknown>>) => Date.parse(String(line['@timestamp']))

/** Resolves with the time at which the alert began to fire in Prometheus. */
async function firedAt(): Promise<number> {
  let fired: number | undefined
  await until(async () => {
    const response = await fetch(`${alerting.prometheus.url}/api/v1/alerts`)
    const { data } = (await response.json()) as { data: { alerts: { state: string }[] } }
    if (data.alerts.some(({ state }) => state === 'firing')) fired = Date.now()
    return fired !== undefined
  }, PATIENCE_MS)
  return fired!
}

test('a third of the calls to payments fail: the breaker opens, the signal recovers, and the breaker closes after the cool-down', async () => {
  // Prometheus knows healthy calls before the fault.
  await until(async () => {
    const query = 'rate(http_client_request_duration_seconds_count{upstream="payments"}[10s]) > 0'
    const response = await fetch(`${alerting.prometheus.url}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
    })
    const { data } = (await response.json()) as { data: { result: unknown[] } }
    return data.result.length > 0
  }, PATIENCE_MS)
  let count = 0
  fake.respond(
    (_req, res) => void res.writeHead(count++ % 3 === 0 ? 500 : 200, { 'content-type': 'application/json' }).end(OK),
  )
  const faultAt = Date.now()

  const fired = await firedAt()
  const started = await responder.line({ message: 'action started' })
  expect(started).toMatchObject({
    'log.level': 'warn',
    'App.respond.alert': 'PaymentsErrorRateHigh',
    'App.respond.rule': 'payments-errors',
    'App.respond.action': 'open_breaker',
    'App.respond.target': 'payments',
  })
  const opened = await app.line({ message: 'circuit opened by an operator', 'service.target.name': 'payments' })
  expect(settings()).toEqual({ LOG_LEVEL: 'info', UPSTREAM_OPEN: 'payments' })
  // Alertmanager repeats the alert as long as it fires.
  await responder.line({ message: 'alert known', 'App.respond.fingerprint': started['App.respond.fingerprint'] })
  const recovered = await responder.line({ message: 'signal recovered' })
  expect(recovered).toMatchObject({ 'App.respond.rule': 'payments-errors', 'App.respond.target': 'payments' })

  // The state keeps the occurrence and the cool-down.
  await restartResponder()
  const seen = fake.seen.length
  const post = async (startsAt: string) => {
    const labels = { alertname: 'PaymentsErrorRateHigh' }
    const alert = {
      status: 'firing',
      labels,
      annotations: {},
      startsAt,
      fingerprint: String(started['App.respond.fingerprint']),
    }
    const response = await fetch(alerting.webhook.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${alerting.webhook.secret}` },
      body: JSON.stringify({ version: '4', alerts: [alert] }),
    })
    expect(response.status).toBe(200)
  }
  await post(new Date().toISOString())
  await responder.line({ message: 'action refused by the cool-down', 'App.respond.rule': 'payments-errors' })
  expect(fake.seen).toHaveLength(seen)

  fake.respond((_req, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end(OK))
  await restartResponder(() => {
    const state = JSON.parse(readFileSync(stateFile, 'utf8'))
    for (const override of state.overrides) override.until = Date.now()
    writeFileSync(stateFile, JSON.stringify(state))
  })
  const restored = await responder.line({ message: 'setting restored', 'App.respond.target': 'payments' })
  expect(settings()).toEqual({ LOG_LEVEL: 'info' })
  await until(() => fake.seen.length > seen, PATIENCE_MS)
  expect(responders.flatMap((each) => findLines(each, 'action started'))).toHaveLength(1)

  const times = { fired, delivered: at(started), opened: at(opened), recovered: at(recovered), restored: at(restored) }
  const rows = Object.entries(times).map(([name, time]) => `${name} ${((time - faultAt) / 1e3).toFixed(1)}`)
  process.stdout.write(`Seconds after the start of the fault (${JSON.stringify(TIMES)}): ${rows.join(', ')}\n`)
})
