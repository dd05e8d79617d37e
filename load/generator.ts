/*
 * Sends the mix of a scenario at one rate. `measure` starts this program, so that the load has an event loop of its own.
 * It receives a plan, and sends the messages `begin` after the warm-up, `end` after the last intended request, and the
 * figures.
 */
import { createHistogram } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { openLoop, percentile } from '../test/support/open-loop.ts'
import { createChoice } from '../test/support/weighted-choice.ts'
import { createAgent, type Data, fillRequest, sendRequest } from './request.ts'
import type { Scenario } from './scenario.ts'

export interface Plan {
  readonly url: string
  readonly scenario: Pick<Scenario, 'operations' | 'session' | 'timeoutMs'>
  readonly data: Data
  readonly rate: number
  readonly warmUpS: number
  readonly durationS: number
}

/** The requests of the measured part. */
export interface Figures {
  readonly sent: number
  readonly succeeded: number
  readonly errors: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly lagMs: number
}

export type Message = 'begin' | 'end' | Figures

/** Maximum number of connections. Requests above it wait, and the wait counts. */
const MAX_CONNECTIONS = 1_000

/** Times are those of `performance.now()`. */
interface Sent {
  readonly intendedAt: number
  readonly latencyMs: number
  readonly lagMs: number
  readonly error: string | undefined
}

const tell = (message: Message) => void process.send?.(message)

async function run({ url, scenario, data, rate, warmUpS, durationS }: Plan): Promise<Figures> {
  const { operations, session, timeoutMs } = scenario
  const byName = new Map(operations.map((operation) => [operation.name, operation]))
  const choose = createChoice(Object.fromEntries(operations.map(({ name, weight }) => [name, weight])))
  const agent = createAgent(url, MAX_CONNECTIONS)
  let index = 0

  async function ask(intendedAt: number): Promise<Sent> {
    const operation = byName.get(choose()) ?? operations[0]
    if (operation === undefined) throw new Error('a scenario has at least one operation')
    const lagMs = performance.now() - intendedAt
    const options = { url, agent, deadline: intendedAt + timeoutMs }
    const { error } = await sendRequest(fillRequest(operation, data, index++), options)
    return { intendedAt, latencyMs: performance.now() - intendedAt, lagMs, error }
  }

  /** Sends the requests of one user, who thinks after each response. */
  async function visit(intendedAt: number): Promise<Sent[]> {
    const requests = [await ask(intendedAt)]
    const { requests: count, thinkMs } = session ?? { requests: 1, thinkMs: [0, 0] }
    const [min, max] = thinkMs
    while (requests.length < count) {
      const dueAt = performance.now() + min + Math.random() * (max - min)
      await setTimeout(Math.max(0, dueAt - performance.now()))
      requests.push(await ask(dueAt))
    }
    return requests
  }

  const startAt = performance.now()
  const [from, to] = [startAt + 1_000 * warmUpS, startAt + 1_000 * (warmUpS + durationS)]
  const begun = setTimeout(1_000 * warmUpS).then(() => tell('begin'))
  const ended = setTimeout(1_000 * (warmUpS + durationS)).then(() => tell('end'))
  const { results } = await openLoop({
    ratePerSecond: rate / (session?.requests ?? 1),
    durationMs: 1_000 * (warmUpS + durationS),
    startAt,
    send: (_index, intendedAt) => visit(intendedAt),
  })
  await Promise.all([begun, ended])
  agent.destroy()

  const measured = results
    .flatMap(({ outcome }) => outcome)
    .filter(({ intendedAt }) => intendedAt >= from && intendedAt < to)
  const served = measured.filter(({ error }) => error === undefined)
  const latencies = createHistogram()
  for (const { latencyMs } of served) latencies.record(Math.max(1, Math.round(1_000 * latencyMs)))
  const failed = Map.groupBy(measured, ({ error }) => error)
  failed.delete(undefined)
  const latency = (percent: number) => (served.length === 0 ? 0 : latencies.percentile(percent) / 1_000)
  const lags = measured.map(({ lagMs }) => lagMs)
  return {
    sent: measured.length,
    succeeded: served.length,
    errors: Object.fromEntries([...failed].map(([error, { length }]) => [error, length])),
    p50Ms: latency(50),
    p95Ms: latency(95),
    p99Ms: latency(99),
    maxMs: latency(100),
    lagMs: percentile(lags.length === 0 ? [0] : lags, 99),
  }
}

process.once('message', (plan: Plan) => {
  run(plan).then((figures) => process.send?.(figures, () => process.disconnect?.()))
})
// Exit when the process of `measure` has ended.
process.once('disconnect', () => process.exit())
