import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, jest, test } from '@jest/globals'
import { bundle } from '../../../scripts/bundle.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { type CampaignReport, runCampaign } from './campaign.ts'

/* `make e2e-database DURATION_S=120` sets the duration of the campaign in seconds. */
const DURATION_MS = Number(process.env['DURATION_S'] ?? 30) * 1_000
jest.setTimeout(DURATION_MS + 180_000)

const directory = temporaryDirectory('exactly-once')

function print(title: string, { ledger, problems, ...rest }: CampaignReport): void {
  const { counts, violations } = ledger
  const broken = [...violations, ...problems]
  const figures = { ...counts, ...rest, broken: broken.length, examples: broken.slice(0, 3) }
  process.stdout.write(`${title}: ${JSON.stringify(figures, null, 2)}\n`)
}

test('no acknowledged write is lost, and no key creates two notes, during any fault', async () => {
  const report = await runCampaign({ durationMs: DURATION_MS })
  print('exactly once', report)
  expect(report.ledger.violations).toEqual([])
  expect(report.problems).toEqual([])
  // Each acknowledged create has a key, and failed creates have none.
  expect(report.keys).toBe(report.ledger.counts.created)
  expect(report.ledger.counts.retried).toBeGreaterThan(0)
})

test('the campaign finds keys that are written after the commit', async () => {
  const program = [process.execPath, await buildNaiveService()]
  const report = await runCampaign({ program, only: ['connections cut after a write'], durationMs: 0 })
  print('naive', report)
  expect(report.problems).toContainEqual(expect.stringMatching(/^created twice: /))
})

/** Builds the service with naive-keys.ts in place of its table of keys. */
async function buildNaiveService(): Promise<string> {
  const outfile = join(directory, 'server.cjs')
  const path = fileURLToPath(new URL('./naive-keys.ts', import.meta.url))
  await bundle(outfile, [
    {
      name: 'naive keys',
      setup({ onResolve }) {
        onResolve({ filter: /\/store\/idempotency-keys\.ts$/ }, ({ importer }) =>
          importer === path ? undefined : { path },
        )
      },
    },
  ])
  return outfile
}
