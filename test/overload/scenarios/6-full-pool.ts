import { startPostgres } from '../../../scripts/services/postgres.ts'
import type { Scenario } from '../../resilience/scenario.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { createPrograms, sendLoad } from '../programs.ts'

/** Sends core reads: alone, with more background queries than the pool has connections, and alone again. */
async function measure(url: string, variant: 'gate' | 'naive', seconds: number) {
  await using programs = createPrograms()
  const { port } = await programs.start('database', [url, variant])
  const [, before, beside, , after] = await sendLoad({
    port,
    callers: 500,
    phases: [
      { ratePerSecond: 200, seconds: 2, mix: { core: 1 } },
      { ratePerSecond: 200, seconds, mix: { core: 1 } },
      { ratePerSecond: 220, seconds, mix: { core: 200, background: 20 } },
      // Wait until the slow queries have ended.
      { ratePerSecond: 200, seconds: 3, mix: { core: 1 } },
      { ratePerSecond: 200, seconds, mix: { core: 1 } },
    ],
  })
  const core = beside!.paths['core']!
  return {
    aloneMs: Math.max(before!.paths['core']!.p99Ms, after!.paths['core']!.p99Ms),
    besideMs: core.p99Ms,
    failed: core.sent - (core.statuses['200'] ?? 0),
    refused: beside!.paths['background']!.statuses['503'] ?? 0,
    lagMs: Math.max(before!.lagMs, beside!.lagMs, after!.lagMs),
  }
}

export const scenario: Scenario = {
  title: 'Background queries of 0.8 s, 20 a second, on a pool of ten connections',
  async run({ quick }) {
    const seconds = quick ? 8 : 30
    const factor = quick ? 4 : 2
    const database = await startPostgres({ directory: temporaryDirectory('postgres') })
    const naive = await measure(database.url, 'naive', seconds)
    const service = await measure(database.url, 'gate', seconds)
    await database.stop()
    const show = ({ aloneMs, besideMs }: typeof naive) => `${aloneMs} ms, then ${besideMs} ms`
    return {
      lagMs: service.lagMs,
      rows: [
        {
          goal: 'p99 of core reads, alone and then beside the slow queries',
          limit: `at most ${factor} ×`,
          service: show(service),
          naive: show(naive),
          isMet: service.besideMs <= factor * service.aloneMs,
          isMetNaively: naive.besideMs <= factor * naive.aloneMs,
          isTimed: true,
        },
        {
          goal: 'core reads that failed',
          limit: 'none',
          service: String(service.failed),
          naive: String(naive.failed),
          isMet: service.failed === 0,
          isMetNaively: naive.failed === 0,
          isTimed: true,
        },
        {
          goal: 'background queries refused with 503',
          limit: 'some',
          service: String(service.refused),
          naive: String(naive.refused),
          isMet: service.refused > 0,
          isMetNaively: naive.refused > 0,
        },
      ],
    }
  },
}
