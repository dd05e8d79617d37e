/*
 * Sends requests at fixed rates from many callers, and prints one report for each phase as JSON:
 *   node load.ts '{"port":8080,"callers":1000,"phases":[{"ratePerSecond":600,"seconds":10,"mix":{"core":1}}]}'
 * Each caller has a connection of its own, which is open before the first phase.
 */
import { Agent } from 'node:http'
import { latencyPercentile, openLoop } from '../../support/open-loop.ts'
import { send } from '../../support/send.ts'
import { createChoice } from '../../support/weighted-choice.ts'

export interface Phase {
  readonly ratePerSecond: number
  readonly seconds: number
  /** Shares of the requests by path, without the leading slash. */
  readonly mix: Readonly<Record<string, number>>
}

export interface LoadPlan {
  readonly port: number
  readonly callers: number
  readonly phases: readonly Phase[]
}

export interface PathReport {
  readonly sent: number
  /** Responses with status 200 within 250 ms of the intended start. */
  readonly good: number
  readonly statuses: Readonly<Record<string, number>>
  readonly p99Ms: number
}

export interface PhaseReport {
  /** Good responses a second. */
  readonly goodput: number
  /** Good responses in each second of the phase. */
  readonly goodputs: readonly number[]
  readonly paths: Readonly<Record<string, PathReport>>
  /** 99th percentile of the lag of the generator, in milliseconds. */
  readonly lagMs: number
}

const GOOD_MS = 250
const TIMEOUT_MS = 1_000

interface Outcome {
  readonly path: string
  readonly status: string
}

const { port, callers, phases } = JSON.parse(process.argv[2]!) as LoadPlan
const free = Array.from({ length: callers }, (_, index) => ({
  address: `10.0.${index >> 8}.${index & 255}`,
  agent: new Agent({ keepAlive: true, maxSockets: 1 }),
}))

async function ask(path: string): Promise<Outcome> {
  const caller = free.shift()
  if (caller === undefined) return { path, status: 'no caller' }
  const { agent, address } = caller
  const headers = { 'x-forwarded-for': address }
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const { status, error } = await send({ port, path: `/${path}`, agent, headers, signal })
  free.push(caller)
  return { path, status: error?.message ?? String(status) }
}

async function run({ ratePerSecond, seconds, mix }: Phase): Promise<PhaseReport> {
  const choose = createChoice(mix)
  const { results, lag } = await openLoop({
    ratePerSecond,
    durationMs: seconds * 1_000,
    send: () => ask(choose()),
  })
  const good = results.filter(({ outcome, latencyMs }) => outcome.status === '200' && latencyMs <= GOOD_MS)
  const paths = Object.keys(mix).map((path): [string, PathReport] => {
    const own = results.filter(({ outcome }) => outcome.path === path)
    const groups = Map.groupBy(own, ({ outcome }) => outcome.status)
    const served = own.filter(({ outcome }) => outcome.status === '200')
    return [
      path,
      {
        sent: own.length,
        good: good.filter(({ outcome }) => outcome.path === path).length,
        statuses: Object.fromEntries([...groups].map(([status, { length }]) => [status, length])),
        p99Ms: Math.round(10 * latencyPercentile({ results: served }, 99)) / 10,
      },
    ]
  })
  const goodputs = Array.from(
    { length: seconds },
    (_, second) => good.filter(({ intendedAt }) => Math.floor(intendedAt / 1_000) === second).length,
  )
  return { goodput: good.length / seconds, goodputs, paths: Object.fromEntries(paths), lagMs: lag.p99Ms }
}

for (let index = 0; index < callers; index += 50) {
  await Promise.all(Array.from({ length: Math.min(50, callers - index) }, () => ask('health/live')))
}
for (const phase of phases) process.stdout.write(`${JSON.stringify(await run(phase))}\n`)
process.exit()
