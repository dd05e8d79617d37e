import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { run } from '../../test/support/run.ts'

/** The command is not part of a jest worker, so its starters must not look for one. */
const capacity = (env: Readonly<Record<string, string>>) =>
  run('env', ['-u', 'JEST_WORKER_ID', process.execPath, 'load/capacity.ts'], { env })

/** Inserts of 50 ms with 5 connections: 100 requests a second by each instance. */
const slowInserts = {
  ...{ SCENARIO: 'slow-insert', DATABASE_POOL_MAX: '5', INSTANCES: '1,2', QUICK: '1' },
  ...{ TARGET: '300', SLO: 'p99<200ms' },
}

test('the command finds the knees of one and two instances, names the pool, and sizes the target', async () => {
  const { code, stdout, stderr } = await capacity(slowInserts)
  const rows = [...stdout.matchAll(/^\| ([12]) \| (\d+) \| .*? \| (\d+) \|/gm)].map((row) => row.slice(1).map(Number))
  const problem = `exit code ${code}:\n${stdout}\n${stderr}`
  // The command judges the deviation. A busy machine lowers the measured knees, and the pool bounds them.
  if (code !== 0) expect(stderr).toMatch(/^DEVIATION: /m)
  expect([problem, rows.map(([instances]) => instances)]).toEqual([problem, [1, 2]])
  const [one = [], two = []] = rows
  for (const [instances = 0, measured = 0, simulated = 0] of [one, two]) {
    expect(measured).toBeGreaterThan(20 * instances)
    expect(measured).toBeLessThan(115 * instances)
    expect(simulated).toBeGreaterThan(60 * instances)
    expect(simulated).toBeLessThan(115 * instances)
  }
  expect(two[1]).toBeGreaterThan(one[1] ?? 0)
  expect(stdout).toMatch(/^- The limit of 1 instance: pool \(/m)
  expect(stdout).toMatch(/\| 8 \| not measured \|.*\| simulation only \|/)
  expect(stdout).toMatch(/^DATABASE_POOL_MAX=[2-6]$/m)
  expect(stdout).toMatch(/^kubectl patch hpa \S+ --patch /m)
  expect(stdout).toContain(readFileSync('load/capacity.md', 'utf8'))
  expect(readFileSync('load/capacity.svg', 'utf8')).toMatch(/^<svg /)
}, 600_000)

test('wrong variables end the command with 64 and every problem', async () => {
  const { code, stderr } = await capacity({ ...slowInserts, SLO: 'fast', TARGET: '', ZONES: '0' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^TARGET: .*\nSLO: «fast» .*\nZONES: .*\nmake capacity TARGET=5000 /)
})

test('an unknown scenario ends the command with 64 and the names of the scenarios', async () => {
  const { code, stderr } = await capacity({ ...slowInserts, SCENARIO: 'none' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^unknown scenario none: expected .*slow-insert/)
})
