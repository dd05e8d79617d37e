import type { Row, Scenario } from '../../resilience/scenario.ts'
import { latencyPercentile, openLoop } from '../../support/open-loop.ts'
import { send } from '../../support/send.ts'
import { createAgent, createPrograms } from '../programs.ts'

const FAST_MS = 20
const SLOW_MS = 500

/** Sends GET requests at a fixed rate to a new service whose third instance has this delay. */
async function measure(kind: 'service' | 'naive', lastDelayMs: number, ratePerSecond: number, durationMs: number) {
  await using programs = createPrograms()
  const { instances, client } = await programs.startChain(kind, [FAST_MS, FAST_MS, lastDelayMs])
  const { port } = client
  const agent = createAgent()
  // Compile the code of the service first: the first requests of a process say nothing about its upstreams.
  for (let index = 0; index < 200; index++) await send({ port, path: '/ping', agent })
  const run = await openLoop({
    ratePerSecond,
    durationMs,
    send: () => send({ port, path: '/v1/payments/pay_1', agent }),
  })
  agent.destroy()
  const stats = await Promise.all(instances.map((instance) => instance.stats()))
  return {
    p99: latencyPercentile(run, 99),
    share: stats[2]!.requests / run.sent,
    failed: run.results.filter(({ outcome }) => outcome.status !== 200).length,
    lagMs: run.lag.p99Ms,
  }
}

const ms = (value: number) => `${value.toFixed(0)} ms`
const percent = (value: number) => `${(value * 100).toFixed(2)} %`

export const scenario: Scenario = {
  title: `One of three instances takes ${SLOW_MS} ms instead of ${FAST_MS}`,
  async run({ quick }) {
    const durationMs = quick ? 8_000 : 30_000
    const factor = quick ? 4 : 1.5
    const rows: Row[] = []
    let lagMs = 0
    for (const rate of [50, 1_000]) {
      const fast = await measure('service', FAST_MS, rate, durationMs)
      const slow = await measure('service', SLOW_MS, rate, durationMs)
      const naive = await measure('naive', SLOW_MS, rate, durationMs)
      lagMs = Math.max(lagMs, fast.lagMs, slow.lagMs, naive.lagMs)
      const limitMs = factor * fast.p99
      rows.push(
        {
          goal: `p99 at ${rate} requests/s`,
          limit: `${factor} × ${ms(fast.p99)}, all fast`,
          service: ms(slow.p99),
          naive: ms(naive.p99),
          isMet: slow.p99 <= limitMs,
          isMetNaively: naive.p99 <= limitMs,
          isTimed: true,
        },
        {
          goal: `share of the slow instance at ${rate} requests/s`,
          limit: '1 %',
          service: percent(slow.share),
          naive: percent(naive.share),
          isMet: slow.share <= 0.01,
          isMetNaively: naive.share <= 0.01,
          isTimed: true,
        },
        {
          goal: `failed requests at ${rate} requests/s`,
          limit: '0',
          service: String(slow.failed),
          naive: String(naive.failed),
          isMet: slow.failed === 0,
          isMetNaively: naive.failed === 0,
        },
      )
    }
    return { rows, lagMs }
  },
}
