import { setTimeout } from 'node:timers/promises'
import type { Scenario } from '../../resilience/scenario.ts'
import { openLoop } from '../../support/open-loop.ts'
import { send } from '../../support/send.ts'
import { createAgent, createPrograms, mixed } from '../programs.ts'

const RATE = 200
const DELAY_MS = 20
/** Failures until the ejection, and the requests that the instance may have had in flight when it was killed. */
const MAX_FAILED = 3 + Math.ceil((RATE * DELAY_MS) / 1_000)

interface Times {
  readonly downMs: number
  readonly afterMs: number
}

/** Kills one of three instances with SIGKILL under load, and starts it again after `downMs`. */
async function measure(kind: 'service' | 'naive', { downMs, afterMs }: Times) {
  await using programs = createPrograms()
  const { instances, ports, client } = await programs.startChain(kind, [DELAY_MS, DELAY_MS, DELAY_MS])
  const agent = createAgent()
  const stop = new AbortController()
  const load = openLoop({
    ratePerSecond: RATE,
    durationMs: 3_600_000,
    signal: stop.signal,
    send: (index) => send({ ...mixed(index), port: client.port, agent }),
  })
  await setTimeout(2_000)
  await instances[0]!.kill()
  await setTimeout(downMs / 2)
  const early = await client.stats()
  await setTimeout(downMs / 2)
  const late = await client.stats()
  const again = await programs.startInstance(DELAY_MS, ports[0])
  const returnedAt = performance.now()
  let backMs = Number.POSITIVE_INFINITY
  while (performance.now() - returnedAt < afterMs) {
    if ((await again.stats()).requests > 0) {
      backMs = performance.now() - returnedAt
      break
    }
    await setTimeout(20)
  }
  stop.abort()
  const run = await load
  agent.destroy()
  return {
    sent: run.sent,
    failed: run.results.filter(({ outcome }) => ![200, 201].includes(outcome.status)).length,
    attemptsFailed: late.failed,
    attemptsFailedLater: late.failed - early.failed,
    backMs,
    lagMs: run.lag.p99Ms,
  }
}

export const scenario: Scenario = {
  title: `SIGKILL of one of three instances at ${RATE} requests/s, every second one a POST with a key`,
  async run({ quick }) {
    const times = { downMs: quick ? 6_000 : 20_000, afterMs: 10_000 }
    const maxBackMs = quick ? 6_000 : 3_000
    const service = await measure('service', times)
    const naive = await measure('naive', times)
    const seconds = (value: number) => `${(value / 1_000).toFixed(1)} s`
    return {
      lagMs: Math.max(service.lagMs, naive.lagMs),
      rows: [
        {
          goal: 'failed requests',
          limit: '0',
          service: `${service.failed} of ${service.sent}`,
          naive: `${naive.failed} of ${naive.sent}`,
          isMet: service.failed === 0,
          isMetNaively: naive.failed === 0,
        },
        {
          goal: 'attempts that met the dead instance',
          limit: `${MAX_FAILED}: three, and those in flight at the kill`,
          service: String(service.attemptsFailed),
          naive: String(naive.attemptsFailed),
          isMet: service.attemptsFailed <= MAX_FAILED,
          isMetNaively: naive.attemptsFailed <= MAX_FAILED,
          isTimed: true,
        },
        {
          goal: 'attempts that met it in the second half of its absence',
          limit: '0',
          service: String(service.attemptsFailedLater),
          naive: String(naive.attemptsFailedLater),
          isMet: service.attemptsFailedLater === 0,
          isMetNaively: naive.attemptsFailedLater === 0,
        },
        {
          goal: 'first request after its return',
          limit: seconds(maxBackMs),
          service: seconds(service.backMs),
          naive: seconds(naive.backMs),
          isMet: service.backMs <= maxBackMs,
          isMetNaively: naive.backMs <= maxBackMs,
          isTimed: true,
        },
      ],
    }
  },
}
