/*
 * The second part of make chaos: measures how fast five faults are detected and healed, and adds the table to
 * chaos/report.md. `make chaos ONLY=healing` runs every row, and `ONLY=frozen` the rows whose names contain `frozen`.
 * REPEAT=20 repeats each row; a row with a long fault has at most three repetitions. QUICK=1 runs the short rows.
 *
 * Exits with 1 when a goal is missed or a row cannot be measured, and with 2 when the machine was too busy to judge a
 * row.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { killApps } from '../../test/support/app.ts'
import { runHealing } from './index.ts'

process.chdir(join(import.meta.dirname, '../..'))
const { QUICK, ONLY = '', REPEAT } = process.env
const REPORT = 'chaos/report.md'
const TITLE = '# Healing'

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void killApps().finally(() => process.exit(1)))
}
const load = () => (loadavg()[0] ?? 0).toFixed(1)
const before = load()
const { measured, markdown, problems, invalid } = await runHealing({
  quick: QUICK === '1',
  only: ONLY,
  repeat: Number(REPEAT || 2),
})
if (measured.length > 0) {
  const machine = `${availableParallelism()} cores, load ${before} at the start and ${load()} at the end`
  const [experiments = ''] = existsSync(REPORT) ? readFileSync(REPORT, 'utf8').split(TITLE) : []
  writeFileSync(REPORT, `${experiments}${TITLE}\n\n${markdown}\n\n${machine}\n`)
  console.info(`\n${markdown}\n\n${machine}`)
} else if (globSync(`chaos/*${ONLY}*.json`).length === 0) {
  problems.push(`neither an experiment nor a row of the table of healing has «${ONLY}» in its name`)
}
for (const line of invalid) console.error(`INVALID, THE MACHINE WAS BUSY: ${line}`)
for (const line of problems) console.error(`MISSED: ${line}`)
process.exit(problems.length > 0 ? 1 : invalid.length > 0 ? 2 : 0)
