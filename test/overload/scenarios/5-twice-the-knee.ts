import { Agent } from 'node:http'
import type { Scenario } from '../../resilience/scenario.ts'
import { readCpuMs } from '../../support/cpu.ts'
import { send } from '../../support/send.ts'
import { createPrograms, percent, sendLoad } from '../programs.ts'

const CALLERS = 1_000
const MAX_WAIT_MS = 20
/** Shares of the load. At twice the knee, core and normal operations alone are 1.2 times the knee. */
const MIX = { core: 20, normal: 40, background: 40 }

/** Smallest share of a core for a valid measurement. With less, the result depends on other processes. */
const MIN_CPU_SHARE = 0.85

/**
 * Returns the good responses a second to four clients that wait for each response. More clients would only add waiting
 * time.
 */
async function measureKnee(port: number, seconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true })
  const end = performance.now() + seconds * 1_000
  let count = 0
  async function client(): Promise<void> {
    while (performance.now() < end) {
      const { status } = await send({ port, path: '/core', agent })
      if (status === 200) count++
      // On a busy machine, the service may refuse requests already at its knee.
      else if (status !== 503) throw new Error(`the status is ${status}, so the rate is not the knee`)
    }
  }
  await Promise.all(Array.from({ length: 4 }, client))
  agent.destroy()
  return count / seconds
}

/** Sends `factor` times the load of the knee for `seconds`, and then half the load of the knee for 5 s. */
export async function measure(maxWaitMs: number, seconds: number, factor = 2) {
  await using programs = createPrograms()
  const { port, pid } = await programs.start('busy', [maxWaitMs])
  await measureKnee(port, 2)
  const knee = await measureKnee(port, 3)
  const cpuBefore = readCpuMs(pid)
  const startedAt = performance.now()
  const calm = Math.round(knee / 2)
  const [busy, after] = await sendLoad({
    port,
    callers: CALLERS,
    phases: [
      { ratePerSecond: Math.round(factor * knee), seconds, mix: MIX },
      { ratePerSecond: calm, seconds: 5, mix: MIX },
    ],
  })
  // The second phase of 5 s needs half a core.
  const wantedMs = performance.now() - startedAt - 2_500
  const cpuShare = (readCpuMs(pid) - cpuBefore) / wantedMs
  const { core, background } = busy!.paths
  const refused = background!.statuses['503'] ?? 0
  const name = maxWaitMs === 0 ? 'naive' : 'service'
  console.info(
    `${name}: knee ${Math.round(knee)}/s, got ${percent(cpuShare)} of the CPU time it needed; ` +
      `good responses in each second: ${busy!.goodputs.join(' ')}`,
  )
  return {
    goodput: busy!.goodput / knee,
    /** The goodput in each second of the overload, as a share of the knee. */
    goodputs: busy!.goodputs.map((each) => each / knee),
    core: core!.good / core!.sent,
    background: refused / background!.sent,
    /** The lowest goodput of a second, from 2 s after the overload on. */
    after: Math.min(...after!.goodputs.slice(2)) / calm,
    lagMs: cpuShare < MIN_CPU_SHARE ? Infinity : busy!.lagMs,
  }
}

export const scenario: Scenario = {
  title: 'Twice the load of the knee, from a handler that takes 3 ms of CPU',
  async run({ quick }) {
    const seconds = quick ? 10 : 60
    const naive = await measure(0, seconds)
    const service = await measure(MAX_WAIT_MS, seconds)
    const row = (goal: string, key: 'goodput' | 'core' | 'background' | 'after', min: number) => ({
      goal,
      limit: `at least ${percent(min)}`,
      service: percent(service[key]),
      naive: percent(naive[key]),
      isMet: service[key] >= min,
      isMetNaively: naive[key] >= min,
      isTimed: true,
    })
    return {
      // The generator of the naive run is late because it opens a connection for each timeout.
      lagMs: service.lagMs,
      rows: [
        row('2xx within 250 ms, as a share of the knee', 'goodput', quick ? 0.7 : 0.85),
        row('core operations within 250 ms', 'core', quick ? 0.95 : 0.99),
        row('background operations refused', 'background', 0.9),
        row('2xx within 250 ms at half the knee, 2 s later', 'after', quick ? 0.9 : 0.98),
        {
          goal: 'the naive goodput',
          limit: 'below 30 %',
          service: '–',
          naive: percent(naive.goodput),
          isMet: naive.goodput < 0.3,
          isMetNaively: false,
        },
      ],
    }
  },
}
