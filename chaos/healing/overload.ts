import { setTimeout } from 'node:timers/promises'
import { measure } from '../../test/overload/scenarios/5-twice-the-knee.ts'
import { PAYMENT, startFakePayments } from '../../test/payments/fake.ts'
import { MAX_LAG_MS } from '../../test/resilience/scenario.ts'
import { addresses, type StartProxy } from '../../test/support/deploy/proxy.ts'
import { startFleet } from '../../test/support/fleet.ts'
import { freePort, until } from '../../test/support/services.ts'
import { startResponder, startSystemctl } from './responder.ts'
import { importWay, type Outcome, type Row, type RowOptions } from './row.ts'
import { isGood, judgeLag, nextLine, seconds, startUsers, type UserRequest } from './users.ts'

/** OVERLOAD_WAIT_MS of the service. */
const MAX_WAIT_MS = 20
/** Length of the spans of the goodput, in seconds. A single pause of the machine would dominate a shorter span. */
const SPAN_S = 5
/** The admission in front of a handler that takes 3 ms of CPU, at three times the load that it can serve. */
async function measureAdmission({ quick }: RowOptions): Promise<Outcome> {
  const { goodput, goodputs, lagMs } = await measure(MAX_WAIT_MS, quick ? 10 : 60, 3)
  const spans = goodputs
    .slice(SPAN_S - 1)
    .map((_, index) => goodputs.slice(index, index + SPAN_S).reduce((sum, each) => sum + each, 0) / SPAN_S)
  return {
    samples: [{ goodput: 100 * goodput, 'in the worst 5 s': 100 * Math.min(...spans) }],
    ...(lagMs > MAX_LAG_MS && { invalid: 'the service or the load generator did not get its CPU time' }),
  }
}

/** Time of a call to the upstream in milliseconds, and the calls in progress of one instance: 100 requests a second. */
const CALL_MS = 100
const CONCURRENCY = 10
const NORMAL_PER_SECOND = 60
/** The responses are watched for this time after the overload. */
const CALM_MS = 10_000
const OVERLOAD_MS = 60_000

/**
 * Returns the end of the last bad request before the service is back to normal: in every later span of 5 s, 99 % of the
 * requests are good.
 */
function endOfTrouble(requests: readonly UserRequest[], since: number): number {
  const spans = Map.groupBy(
    requests.filter(({ sentAt }) => sentAt >= since),
    ({ sentAt }) => Math.floor((sentAt - since) / (SPAN_S * 1_000)),
  )
  const bad = [...spans.values()].map((span) => ({ span, bad: span.filter((each) => !isGood(each)) }))
  const troubled = bad.filter(({ span, bad }) => bad.length > span.length / 100)
  return Math.max(since, ...troubled.flatMap(({ bad }) => bad.map(({ endedAt }) => endedAt)))
}

/**
 * One instance gets 60 requests a second, and can serve 100, because its calls to the upstream are limited. So the
 * capacity does not depend on the CPU: three busy instances would need more cores than the machine of a developer has.
 */
async function measureResponder({ directory }: RowOptions): Promise<Outcome> {
  const fake = await startFakePayments()
  fake.respond(async (_req, res) => {
    await setTimeout(CALL_MS)
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(PAYMENT))
  })
  const adminPort = await freePort()
  const fleet = await startFleet({
    env: { UPSTREAMS: `payments=${fake.origin}`, UPSTREAM_CONCURRENCY: String(CONCURRENCY) },
    envFor: (index) => (index === 0 ? { ADMIN_PORT: String(adminPort) } : {}),
  })
  const active = new Set([1])
  for (const instance of fleet.slice(1)) await instance.kill()
  /** The units are app@1, app@2 and app@3. */
  const standIn = await startSystemctl(directory, async ([command, ...args]) => {
    const numbers = args.flatMap((arg) => /^app@(\d+)[.]service$/.exec(arg)?.[1] ?? []).map(Number)
    if (command === 'is-active') return numbers.every((number) => active.has(number)) ? 0 : 3
    if (command !== 'start') return 1
    for (const number of numbers) {
      await fleet[number - 1]?.start()
      active.add(number)
    }
    return 0
  })
  const { startHaproxy } = await importWay<{ startHaproxy: StartProxy }>('deploy/haproxy/start-haproxy.ts')
  const proxy = await startHaproxy({ instances: addresses(fleet) })
  const isDown = (name: string) => proxy.log().includes(`round_robin/${name} is DOWN`)
  await until(() => isDown('app-2') && isDown('app-3'), 30_000)
  const { responder, stop } = await startResponder({
    directory,
    targets: fleet.slice(0, 1).map(({ host }) => `${host}:${adminPort}`),
    env: standIn.env,
    reaction: {
      alert: 'CapacityExceeded',
      expr: 'sum by (job) (rate(upstream_rejected_calls_total{reason="concurrency"}[15s])) > 1',
      for: '15s',
      action: { type: 'scale', by: 2, max: 3, systemd: { unit: 'app', first: 1 } },
      cooldownSeconds: 600,
    },
  })
  const path = '/v1/payments/pay_1'
  const common = { port: proxy.port, path, timeoutMs: 2_000 }
  const normal = startUsers({ ...common, ratePerSecond: NORMAL_PER_SECOND })
  // Prometheus scrapes the usual rate first.
  await setTimeout(20_000)
  const faultAt = Date.now()
  const more = startUsers({ ...common, ratePerSecond: 2 * NORMAL_PER_SECOND })
  const detectedAt = await nextLine(responder, { message: 'action started' }, faultAt)
  await until(() => active.size === 3)
  const scaledAt = Date.now()
  await setTimeout(Math.max(0, faultAt + OVERLOAD_MS + CALM_MS - Date.now()))
  const all = [...normal.requests, ...more.requests]
  const early = all.filter(({ sentAt }) => sentAt >= faultAt && sentAt < scaledAt)
  const lagMs = Math.max(await normal.stop(), await more.stop())
  await stop()
  standIn.stop()
  await proxy.stop()
  for (const instance of fleet) await instance.kill()
  await fake.stop()
  return {
    samples: [
      {
        detected: seconds(faultAt, detectedAt),
        scaled: seconds(faultAt, scaledAt),
        normal: seconds(faultAt, endOfTrouble(all, faultAt)),
        'failed until then': 100 * (early.filter((each) => !isGood(each)).length / early.length),
      },
    ],
    ...judgeLag(lagMs),
  }
}

export const rows: readonly Row[] = [
  {
    name: 'overload',
    fault: 'three times the load that the service can serve, for 60 s',
    healer: 'in process',
    goals: [
      { name: 'goodput', unit: '%', limit: 80, isMinimum: true },
      { name: 'in the worst 5 s', unit: '%', limit: 80, isMinimum: true },
    ],
    measure: measureAdmission,
  },
  {
    name: 'overload-responder',
    fault: 'three times the usual load, which one instance cannot serve',
    healer: 'responder',
    goals: [
      { name: 'detected', unit: 's' },
      { name: 'scaled', unit: 's' },
      { name: 'normal', unit: 's', limit: 60 },
      { name: 'failed until then', unit: '%' },
    ],
    needs: ['deploy/haproxy', 'deploy/respond'],
    measure: measureResponder,
  },
]
