/*
 * make resilience: runs the scenarios in test/<subject>/scenarios/ and prints a table. Each scenario runs the service
 * and a naive implementation. QUICK=1 makes the runs short and the limits wide. `make resilience ONLY=slow` runs the
 * scenarios whose file names contain `slow`.
 *
 * Exits with 1 when the service misses a goal or the naive implementation meets all of them, and with 2 when the
 * machine was too busy to measure.
 */
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { judge, MAX_LAG_MS, type Scenario } from './scenario.ts'

const { QUICK, ONLY = '' } = process.env
const quick = QUICK === '1'
const root = join(import.meta.dirname, '../..')
const files = globSync('test/*/scenarios/*.ts', { cwd: root }).sort()

const problems: string[] = []
const invalid: string[] = []
const chosen = files.filter((file) => basename(file).includes(ONLY))
if (chosen.length === 0) problems.push(`no scenario has «${ONLY}» in its file name`)
for (const file of chosen) {
  const { scenario } = (await import(join(root, file))) as { readonly scenario: Scenario }
  const outcome = await scenario.run({ quick })
  const lag = Math.round(outcome.lagMs)
  console.info(`\n### ${scenario.title}\n`)
  console.info('| goal | limit | service | naive |\n| --- | --- | --- | --- |')
  for (const { goal, limit, service, naive, isMet, isMetNaively } of outcome.rows) {
    console.info(`| ${goal} | ${limit} | ${service}${isMet ? '' : ' ✗'} | ${naive}${isMetNaively ? '' : ' ✗'} |`)
  }
  console.info(`\nLag of the load generator, p99: ${lag} ms.`)
  if (outcome.lagMs > MAX_LAG_MS) invalid.push(`${scenario.title}: the load generator lagged by ${lag} ms`)
  problems.push(...judge(outcome).map((problem) => `${scenario.title}: ${problem}`))
}
for (const line of invalid) console.error(`INVALID, THE MACHINE WAS BUSY: ${line}`)
for (const line of problems) console.error(`MISSED: ${line}`)
process.exitCode = problems.length > 0 ? 1 : invalid.length > 0 && !quick ? 2 : 0
