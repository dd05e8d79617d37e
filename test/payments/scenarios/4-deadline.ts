import { setTimeout } from 'node:timers/promises'
import type { Scenario } from '../../resilience/scenario.ts'
import { latencyPercentile, openLoop } from '../../support/open-loop.ts'
import { send } from '../../support/send.ts'
import { createAgent, createPrograms } from '../programs.ts'

const DEADLINE_MS = 200
const DELAY_MS = 1_000
const RATE = 20

/** Callers wait for 200 ms, and the upstream takes a second. */
async function measure(kind: 'service' | 'naive', durationMs: number) {
  await using programs = createPrograms()
  const { instances, client } = await programs.startChain(kind, [DELAY_MS])
  const agent = createAgent()
  const headers = { 'x-request-timeout-ms': String(DEADLINE_MS) }
  for (let index = 0; index < 200; index++) await send({ port: client.port, path: '/ping', agent })
  const run = await openLoop({
    ratePerSecond: RATE,
    durationMs,
    send: () => send({ port: client.port, path: '/v1/payments/pay_1', headers, agent }),
  })
  agent.destroy()
  // The last cancellations arrive.
  await setTimeout(500)
  const { requests, cancelled } = await instances[0]!.stats()
  return {
    sent: run.sent,
    timeouts: run.results.filter(({ outcome }) => outcome.status === 504).length,
    maxMs: latencyPercentile(run, 100),
    requests,
    cancelled,
    lagMs: run.lag.p99Ms,
  }
}

export const scenario: Scenario = {
  title: `Callers wait for ${DEADLINE_MS} ms, and the upstream takes ${DELAY_MS} ms`,
  async run({ quick }) {
    const durationMs = quick ? 3_000 : 10_000
    const maxMs = quick ? 900 : DEADLINE_MS + 50
    const [service, naive] = [await measure('service', durationMs), await measure('naive', durationMs)]
    return {
      lagMs: Math.max(service.lagMs, naive.lagMs),
      rows: [
        {
          goal: 'slowest response',
          limit: `${maxMs} ms`,
          service: `${service.maxMs.toFixed(0)} ms`,
          naive: `${naive.maxMs.toFixed(0)} ms`,
          isMet: service.maxMs <= maxMs,
          isMetNaively: naive.maxMs <= maxMs,
          isTimed: true,
        },
        {
          goal: 'responses with 504',
          limit: 'all',
          service: `${service.timeouts} of ${service.sent}`,
          naive: `${naive.timeouts} of ${naive.sent}`,
          isMet: service.timeouts === service.sent,
          isMetNaively: naive.timeouts === naive.sent,
        },
        {
          goal: 'cancelled requests at the upstream',
          limit: 'all',
          service: `${service.cancelled} of ${service.requests}`,
          naive: `${naive.cancelled} of ${naive.requests}`,
          isMet: service.requests > 0 && service.cancelled === service.requests,
          isMetNaively: naive.cancelled === naive.requests,
        },
      ],
    }
  },
}
