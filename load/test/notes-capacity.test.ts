import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { run } from '../../test/support/run.ts'

/** Several instances need a proxy. */
const INSTANCES = existsSync(join(import.meta.dirname, '../../deploy/nginx')) ? [1, 2] : [1]

test('the command finds the knees of one and two instances, names the pool, and sizes the target', async () => {
  // Inserts of 50 ms with 5 connections: 100 requests a second by each instance.
  const env = {
    ...{ SCENARIO: 'notes-slow', DATABASE_POOL_MAX: '5', INSTANCES: INSTANCES.join(','), QUICK: '1' },
    ...{ TARGET: '300', SLO: 'p99<200ms' },
  }
  // The command is not part of a jest worker, so its starters must not look for one.
  const { code, stdout, stderr } = await run(
    'env',
    ['-u', 'JEST_WORKER_ID', process.execPath, 'load/capacity/main.ts'],
    {
      env,
    },
  )
  const problem = `exit code ${code}:\n${stdout}\n${stderr}`
  // The command judges the deviation. A busy machine lowers the measured knees, and the pool bounds them.
  if (code !== 0) expect(stderr).toMatch(/^DEVIATION: /m)
  const rows = [...stdout.matchAll(/^\| ([12]) \| (\d+) \| .*? \| (\d+) \|/gm)].map((row) => row.slice(1).map(Number))
  expect([problem, rows.map(([instances]) => instances)]).toEqual([problem, INSTANCES])
  for (const [instances = 0, measured = 0, simulated = 0] of rows) {
    expect(measured).toBeGreaterThan(0)
    expect(measured).toBeLessThan(115 * instances)
    expect(simulated).toBeGreaterThan(60 * instances)
    expect(simulated).toBeLessThan(115 * instances)
  }
  const knees = rows.map(([, measured = 0]) => measured)
  expect(knees).toEqual(knees.toSorted((a, b) => a - b))
  expect(stdout).toMatch(/^- The limit of 1 instance: pool \(/m)
  expect(stdout).toMatch(/\| 8 \| not measured \|.*\| simulation only \|/)
  expect(stdout).toMatch(/^DATABASE_POOL_MAX=[2-6]$/m)
  expect(stdout).toMatch(/^kubectl patch hpa \S+ --patch /m)
  expect(stdout).toContain(readFileSync('load/capacity/report.md', 'utf8'))
  expect(readFileSync('load/capacity/report.svg', 'utf8')).toMatch(/^<svg /)
}, 600_000)
