/*
 * make chaos: runs the experiments in chaos/*.json against a local fleet, prints a verdict for each, and writes
 * chaos/report.md and chaos/report.svg. `make chaos ONLY=redis-gone` runs the experiments whose names contain the text.
 * QUICK=1 holds each fault for 5 s instead of 15 s. `node chaos/main.ts FILE…` runs the experiments in other files.
 *
 * Exits with 1 when a hypothesis failed, or when an experiment could not run. An experiment whose variables are unset,
 * because a fault needs root or a tool, is skipped, and fails with CI=true.
 */
import { globSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { conduct } from './conduct.ts'
import { listUnset } from './experiment.ts'
import { groupByStage, readExperiment, startStageOf } from './plan.ts'
import { type Reported, renderReport, renderTimeline } from './report.ts'

const { QUICK, ONLY = '', CI } = process.env
const env = { ...process.env, HOLD_S: QUICK === '1' ? '5' : '15' }
process.chdir(join(import.meta.dirname, '..'))

const files = process.argv.length > 2 ? process.argv.slice(2) : globSync('chaos/*.json').sort()
const experiments = files.map(readExperiment).filter(({ name }) => name.includes(ONLY))
if (experiments.length === 0) {
  console.info(`no experiment has «${ONLY}» in its name`)
  process.exit()
}

const reported: Reported[] = []
const skipped: string[] = []
for (const group of groupByStage(experiments)) {
  const stage = await startStageOf(group)
  const interrupt = () => void stage.stop().finally(() => process.exit(1))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt)
  try {
    for (const { name, experiment, signal } of group) {
      const unset = listUnset(experiment, { ...env, ...stage.variables() })
      if (unset.length > 0) {
        skipped.push(name)
        console.error(`${name}: SKIPPED, this machine cannot cause the fault: ${unset.join(', ')} unset`)
        continue
      }
      console.info(`${name}: ${experiment.title}`)
      const result = await conduct(stage, experiment, { env, ...(signal && { signal: new RegExp(signal) }) })
      console.info(`${name}: ${result.verdict}${result.reason ? `: ${result.reason}` : ''}`)
      const { title, description, 'steady-state-hypothesis': hypothesis } = experiment
      reported.push({ name, title, weakness: description, hypothesis: hypothesis.title, result })
    }
  } finally {
    await stage.stop()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}
writeFileSync('chaos/report.md', renderReport(reported))
writeFileSync('chaos/report.svg', renderTimeline(reported))
console.info('wrote chaos/report.md and chaos/report.svg')
const isComplete = skipped.length === 0 || CI !== 'true'
process.exit(isComplete && reported.every(({ result }) => result.verdict === 'passed') ? 0 : 1)
