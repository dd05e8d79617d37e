/*
 * make load SCENARIO=notes: sends the steps of load/scenarios/notes.json, or of a path to a .json file, through nginx,
 * the service, PostgreSQL, Redis and the upstream on this machine. Prints a table, and writes load/report.md and
 * load/report.svg.
 *
 * STEPS=100,200 (or RATE=100) and DURATION_S=10 replace the steps of the scenario. INSTANCES=2 starts two instances.
 * Variables of the service, such as DATABASE_POOL_MAX=20, apply to the instances.
 * URL=https://staging.example.com aims at a running system instead, and METRICS names the metrics of its instances,
 * separated by commas: http://10.0.0.11:9464/metrics.
 *
 * Exits with 1 when a limit of the scenario is broken. Exits with 2 when a step has no verdict, or when no step has a
 * rate with limits. A step has no verdict when it sent no request, when the generator was late, or when other programs
 * used the machine. Exits with 64 when a variable is invalid.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderChart } from './chart.ts'
import { measure, prepareData, type StepResult } from './measure.ts'
import { readLoadOptions, readOrExit } from './options.ts'
import { judge, listPanels, renderReport } from './report.ts'
import { openStage } from './stage.ts'

// An exit removes the temporary files, and ends the stage. Without a listener, the signal ends the process at once.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const USAGE = 'make load [SCENARIO=ping STEPS=100,200 DURATION_S=10 INSTANCES=1 URL=http://… METRICS=http://…]'
const { scenario, steps, system, instances, serviceEnv } = readOrExit(() => readLoadOptions(process.env), USAGE)
await using stage = await openStage({ system, instances, env: serviceEnv, sql: scenario.sql })
const { target } = stage
const data = await prepareData({ target, scenario })
const results: StepResult[] = []
for (const { rate, durationS } of steps) {
  console.error(`measuring: ${rate}/s for ${durationS} s`)
  results.push(await measure({ target, scenario, rate, durationS, data }))
}

const report = renderReport(scenario.title, results, scenario.limits)
console.log(report)
writeFileSync(join(import.meta.dirname, 'report.md'), report)
writeFileSync(join(import.meta.dirname, 'report.svg'), renderChart(listPanels(scenario.title, results)))
const { broken, unknown } = judge(results, scenario.limits)
process.exitCode = broken.length > 0 ? 1 : unknown.length > 0 ? 2 : 0
