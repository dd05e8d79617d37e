import { setTimeout } from 'node:timers/promises'
import { COOL_DOWN_MS } from '#pkg/upstream/guard.ts'
import type { Scenario } from '../../resilience/scenario.ts'
import { openLoop, percentile } from '../../support/open-loop.ts'
import { send } from '../../support/send.ts'
import { createAgent, createPrograms } from '../programs.ts'

const RATE = 100
const DELAY_MS = 20
const RECOVERY_MS = COOL_DOWN_MS + 1_000

interface Times {
  /** Time with successes, which fill the window of the circuit breaker. */
  readonly beforeMs: number
  readonly downMs: number
}

/** Kills every instance for `downMs` under load. */
async function measure(kind: 'service' | 'naive', { beforeMs, downMs }: Times) {
  await using programs = createPrograms()
  const { instances, ports, client } = await programs.startChain(kind, [DELAY_MS, DELAY_MS, DELAY_MS])
  const agent = createAgent()
  const stop = new AbortController()
  const startedAt = performance.now()
  const load = openLoop({
    ratePerSecond: RATE,
    durationMs: 3_600_000,
    signal: stop.signal,
    send: () => send({ port: client.port, path: '/v1/payments/pay_1', agent }),
  })
  const elapsed = () => performance.now() - startedAt
  await setTimeout(beforeMs)
  const before = await client.stats()
  const killedAt = elapsed()
  await Promise.all(instances.map((instance) => instance.kill()))
  await setTimeout(downMs)
  const after = await client.stats()
  const returningAt = elapsed()
  await Promise.all(ports.map((port) => programs.startInstance(DELAY_MS, port)))
  const returnedAt = elapsed()
  await setTimeout(RECOVERY_MS + 2_000)
  stop.abort()
  const { results } = await load
  agent.destroy()
  const down = results.filter(({ intendedAt }) => intendedAt >= killedAt && intendedAt < returningAt)
  const opened = client.lines.find(({ message }) => message === 'circuit opened')
  const openAt = kind === 'service' ? (opened?.at ?? Number.POSITIVE_INFINITY) - startedAt : killedAt
  const open = down.filter(({ intendedAt }) => intendedAt >= openAt)
  const recovered = results.find(({ intendedAt, outcome }) => intendedAt >= returningAt && outcome.status === 200)
  return {
    requests: down.length,
    openMs: openAt - killedAt,
    attempts: after.attempts - before.attempts,
    maxMs:
      open.length > 0
        ? percentile(
            open.map(({ latencyMs }) => latencyMs),
            100,
          )
        : Number.POSITIVE_INFINITY,
    recoveryMs: Math.max(0, (recovered?.intendedAt ?? Number.POSITIVE_INFINITY) - returnedAt),
    // The start of the instances delays the generator, and their absence is measured.
    lagMs: percentile(
      down.map(({ intendedAt, startedAt }) => startedAt - intendedAt),
      99,
    ),
  }
}

export const scenario: Scenario = {
  title: `Every instance is down, at ${RATE} requests/s`,
  async run({ quick }) {
    const downMs = quick ? 12_000 : 60_000
    const times = { beforeMs: quick ? 3_000 : 12_000, downMs }
    const maxMs = quick ? 1_000 : 50
    const recoveryMs = RECOVERY_MS + (quick ? 2_000 : 0)
    const [service, naive] = [await measure('service', times), await measure('naive', times)]
    const isWithin = ({ attempts, requests }: typeof service) => attempts <= 1.1 * requests + 10
    const seconds = (value: number) => `${(value / 1_000).toFixed(1)} s`
    const row = (read: (measured: typeof service) => number, show: (value: number) => string, limit: number) => ({
      limit: show(limit),
      service: show(read(service)),
      naive: show(read(naive)),
      isMet: read(service) <= limit,
      isMetNaively: read(naive) <= limit,
      isTimed: true,
    })
    return {
      lagMs: Math.max(service.lagMs, naive.lagMs),
      rows: [
        {
          goal: `attempts in ${downMs / 1_000} s`,
          limit: '1.1 × requests + 10',
          service: `${service.attempts} for ${service.requests} requests`,
          naive: `${naive.attempts} for ${naive.requests} requests`,
          isMet: isWithin(service),
          isMetNaively: isWithin(naive),
        },
        {
          goal: `slowest response while the circuit is open, from ${seconds(service.openMs)} after the kill`,
          ...row(
            (measured) => measured.maxMs,
            (value) => `${value.toFixed(0)} ms`,
            maxMs,
          ),
        },
        {
          goal: 'first success after the return',
          ...row((measured) => measured.recoveryMs, seconds, recoveryMs),
        },
      ],
    }
  },
}
