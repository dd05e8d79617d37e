import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { type TestService, testPostgres } from '../support/services.ts'
import { attempt, type Goal, IS_FULL, PATIENCE_MS, report, SECONDS } from './support/attempts.ts'
import { killServices, sendLoad, startService } from './support/processes.ts'

let database: TestService
beforeAll(async () => {
  database = await testPostgres()
})
afterAll(() => database?.stop())
afterEach(killServices)

/** The highest ratio of a p99 to the normal one. */
const FACTOR = IS_FULL ? 2 : 4

/** Sends core reads, first alone, and then with more background queries than the pool has connections. */
async function exhaust(variant: 'gate' | 'naive') {
  const { port } = await startService('database', [database.url, variant])
  const [, alone, beside] = await sendLoad({
    port,
    callers: 500,
    phases: [
      { ratePerSecond: 200, seconds: 2, mix: { core: 1 } },
      { ratePerSecond: 200, seconds: SECONDS, mix: { core: 1 } },
      { ratePerSecond: 220, seconds: SECONDS, mix: { core: 200, background: 20 } },
    ],
  })
  await killServices()
  const core = beside!.paths['core']!
  const normalMs = alone!.paths['core']!.p99Ms
  report(
    `${variant}: p99 of core reads ${normalMs} ms alone, ${core.p99Ms} ms beside slow queries; ` +
      `core ${JSON.stringify(core.statuses)}, background ${JSON.stringify(beside!.paths['background']!.statuses)}`,
  )
  const failed = core.sent - (core.statuses['200'] ?? 0)
  return { normalMs, p99Ms: failed > 0.01 * core.sent ? Infinity : core.p99Ms }
}

test(
  'slow background queries for the whole pool: core reads stay fast, and slow without the gate',
  async () => {
    const missed = await attempt(async (): Promise<Goal[]> => {
      const naive = await exhaust('naive')
      const gate = await exhaust('gate')
      return [
        { goal: `the naive p99 exceeds ${FACTOR} × normal`, isMet: naive.p99Ms > FACTOR * naive.normalMs },
        { goal: `the p99 is at most ${FACTOR} × normal`, isMet: gate.p99Ms <= FACTOR * gate.normalMs },
      ]
    })
    expect(missed).toEqual([])
  },
  PATIENCE_MS,
)
