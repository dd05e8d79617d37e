import { Agent, get } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import { attempt, type Goal, IS_FULL, PATIENCE_MS, report, SECONDS } from './support/attempts.ts'
import type { PhaseReport } from './support/load-service.ts'
import { killServices, sendLoad, startService } from './support/processes.ts'

afterEach(killServices)

const CALLERS = 1_000
const MAX_WAIT_MS = 20
/** Core and normal operations alone are 1.2 times the knee. */
const MIX = { core: 20, normal: 40, background: 40 }
const GOODPUT = IS_FULL ? 0.85 : 0.75

/** Returns the responses a second to four clients that wait for each response. More clients only add waiting time. */
async function measureKnee(port: number, seconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true })
  const end = performance.now() + seconds * 1_000
  let count = 0
  const ask = () =>
    new Promise((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port, path: '/core', agent }, (response) => {
        response.resume().once('end', resolve)
      })
      request.once('error', reject)
    })
  async function client(): Promise<void> {
    for (; performance.now() < end; count++) await ask()
  }
  await Promise.all(Array.from({ length: 4 }, client))
  agent.destroy()
  return count / seconds
}

/** Sends twice the knee for the whole time, and then half of it. */
async function overload(name: string, maxWaitMs: number) {
  const { port } = await startService('busy', [String(maxWaitMs)])
  await measureKnee(port, 2)
  const knee = await measureKnee(port, 3)
  const [busy, after] = await sendLoad({
    port,
    callers: CALLERS,
    phases: [
      { ratePerSecond: Math.round(2 * knee), seconds: SECONDS, mix: MIX },
      { ratePerSecond: Math.round(knee / 2), seconds: 5, mix: MIX },
    ],
  })
  await killServices()
  print(name, knee, busy!)
  print(`${name}, at half the knee afterwards`, knee, after!)
  return { share: busy!.goodput / knee, knee, paths: busy!.paths, after: after! }
}

function print(name: string, knee: number, { goodput, goodputs, paths, isValid }: PhaseReport): void {
  const share = Math.round((100 * goodput) / knee)
  const groups = Object.entries(paths).map(([path, { sent, good, p99Ms, statuses }]) => {
    return `\n  ${path}: ${sent} sent, ${good} within 250 ms, p99 ${p99Ms} ms, ${JSON.stringify(statuses)}`
  })
  report(
    `${name}: knee ${Math.round(knee)}/s, goodput ${Math.round(goodput)}/s = ${share} %` +
      `${isValid ? '' : ', the load generator was late'}${groups.join('')}\n  each second: ${goodputs.join(' ')}`,
  )
}

test(
  `twice the knee for ${SECONDS} s: the goodput stays, and a service without admission loses it`,
  async () => {
    const missed = await attempt(async (): Promise<Goal[]> => {
      const naive = await overload('without admission', 0)
      const { share, knee, paths, after } = await overload('with admission', MAX_WAIT_MS)
      const { core, background } = paths
      const later = after.goodputs.slice(2)
      return [
        { goal: 'the naive goodput is below 30 % of the knee', isMet: naive.share < 0.3 },
        { goal: `the goodput is at least ${100 * GOODPUT} % of the knee`, isMet: share >= GOODPUT },
        { goal: '99 % of core within 250 ms', isMet: core!.good >= 0.99 * core!.sent },
        { goal: '90 % of background refused', isMet: background!.statuses['503']! >= 0.9 * background!.sent },
        { goal: 'normal after 2 s', isMet: later.every((count) => count >= 0.98 * Math.round(knee / 2)) },
      ]
    })
    expect(missed).toEqual([])
  },
  PATIENCE_MS,
)
