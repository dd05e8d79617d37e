import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { COOL_DOWN_MS } from '../../pkg/upstream/guard.ts'
import { type FakePayments, PAYMENT, startFakePayments } from '../../test/payments/fake.ts'
import { type RunningApp, startApp } from '../../test/support/app.ts'
import { startAlerting } from '../../test/support/deploy/start-alerting.ts'
import { freePort } from '../../test/support/services.ts'
import type { Outcome, Row, RowOptions, Sample } from './row.ts'
import { GOOD_MS, judgeLag, nextLine, recoveredAfter, seconds, startUsers } from './users.ts'

const PATH = '/v1/payments/pay_1'
const OK = JSON.stringify(PAYMENT)
const fault = 'the upstream payments answers half of the calls with an error'

function respond(fake: FakePayments, isError: () => boolean): void {
  fake.respond((_req, res) => void res.writeHead(isError() ? 500 : 200, { 'content-type': 'application/json' }).end(OK))
}

const heal = (fake: FakePayments) => respond(fake, () => false)

/** The users have recovered when no response was bad for this time, in milliseconds. */
const CALM_MS = 2_000

/** The upstream fails at random. In each repetition, it recovers at a different moment of the cool-down. */
async function measureBreaker({ repeat }: RowOptions): Promise<Outcome> {
  const fake = await startFakePayments()
  const app = await startApp({ env: { UPSTREAMS: `payments=${fake.origin}` } })
  const users = startUsers({ port: app.port, path: PATH, ratePerSecond: 100, timeoutMs: 2_000 })
  const samples: Sample[] = []
  for (let index = 0; index < repeat; index++) {
    heal(fake)
    await setTimeout(CALM_MS)
    const faultAt = Date.now()
    respond(fake, () => Math.random() < 0.5)
    const openedAt = await nextLine(app, { message: 'circuit opened' }, faultAt)
    await setTimeout(250 + (index / repeat) * COOL_DOWN_MS)
    const healedAt = Date.now()
    heal(fake)
    await nextLine(app, { message: 'circuit closed' }, healedAt)
    await setTimeout(CALM_MS)
    const open = users.during(openedAt, healedAt)
    const slow = open.filter(({ sentAt, endedAt, status }) => status === 0 || endedAt - sentAt > GOOD_MS)
    samples.push({
      detected: seconds(faultAt, openedAt),
      recovered: recoveredAfter(healedAt, users.during(healedAt)),
      'responses within 250 ms': 100 * (1 - slow.length / open.length),
    })
  }
  const lagMs = await users.stop()
  app.signal('SIGTERM')
  await app.ended
  await fake.stop()
  return { samples, ...judgeLag(lagMs) }
}

/** The times of the shipped rule at a scrape of 5 s. */
const TIMES = { scrape: '5s', window: '15s', for: '15s', repeat: '5s' }
/** Longer than the recovery of the signal, in seconds. */
const COOLDOWN_S = 25

/** Starts the responder with the rules of deploy/respond for the service. */
async function startMission(directory: string, fake: FakePayments) {
  const adminPort = await freePort()
  const settingsFile = join(directory, 'settings.json')
  writeFileSync(settingsFile, '{}')
  const rules = JSON.parse(readFileSync('deploy/respond/rules.json', 'utf8'))
  rules.maxActionsPerHour = 1_000
  for (const rule of rules.rules) rule.cooldownSeconds = COOLDOWN_S
  writeFileSync(join(directory, 'rules.json'), JSON.stringify(rules))
  const env = { UPSTREAMS: `payments=${fake.origin}`, SETTINGS_FILE: settingsFile }
  const app = await startApp({ env: { ...env, ADMIN_PORT: String(adminPort) } })
  const alerting = await startAlerting({
    directory,
    targets: [`127.0.0.1:${adminPort}`],
    times: TIMES,
  })
  const responder = await alerting.startResponder(env)
  return { app, responder, alerting }
}

async function end(...apps: readonly RunningApp[]): Promise<void> {
  for (const app of apps) {
    app.signal('SIGTERM')
    await app.ended
  }
}

/**
 * 48 % of the calls fail, 20 calls a second: neither window of the client's own circuit breaker opens the circuit, so
 * the responder has to act.
 */
async function measureResponder({ repeat, directory }: RowOptions): Promise<Outcome> {
  const fake = await startFakePayments()
  const { app, responder, alerting } = await startMission(directory, fake)
  const users = startUsers({ port: app.port, path: PATH, ratePerSecond: 20, timeoutMs: 2_000 })
  const samples: Sample[] = []
  for (let index = 0; index < repeat; index++) {
    heal(fake)
    // The window of the rate then has healthy calls only, and each repetition begins at a different moment between two
    // scrapes.
    await setTimeout(20_000 + (index / repeat) * 5_000)
    let calls = 0
    const faultAt = Date.now()
    respond(fake, () => (calls++ % 25) % 2 === 1)
    const firedAt = await nextLine(responder, { message: 'action started' }, faultAt)
    const openedAt = await nextLine(app, { message: 'circuit opened by an operator' }, faultAt)
    const recoveredAt = await nextLine(responder, { message: 'signal recovered' }, faultAt)
    samples.push({
      detected: seconds(faultAt, firedAt),
      'circuit open': seconds(faultAt, openedAt),
      recovered: seconds(faultAt, recoveredAt),
    })
    heal(fake)
    await nextLine(responder, { message: 'setting restored' }, recoveredAt)
  }
  const lagMs = await users.stop()
  await end(app, responder)
  await alerting.stop()
  await fake.stop()
  return { samples, ...judgeLag(lagMs) }
}

export const rows: readonly Row[] = [
  {
    name: 'payments',
    fault,
    healer: 'in process',
    goals: [
      { name: 'detected', unit: 's', limit: 2 },
      { name: 'recovered', unit: 's', limit: 5 },
      { name: 'responses within 250 ms', unit: '%', limit: 99, isMinimum: true },
    ],
    isQuick: true,
    measure: measureBreaker,
  },
  {
    name: 'payments-responder',
    fault,
    healer: 'responder',
    goals: [
      { name: 'detected', unit: 's' },
      { name: 'circuit open', unit: 's' },
      { name: 'recovered', unit: 's', limit: 47 },
    ],
    needs: ['deploy/respond'],
    measure: measureResponder,
  },
]
