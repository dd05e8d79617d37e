/*
 * make capacity: finds the knee of the system under a scenario, compares it with a simulation, and computes the
 * replicas, the pool and the memory for TARGET. docs/capacity.md explains the variables and the formulas.
 *
 * Exits with 1 when the knee is 0 or the simulation deviates too far from a measurement, and with 64 when a variable is
 * wrong.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { listCores } from '../../test/support/cpu.ts'
import { findBottleneck, findFirstBottleneck } from '../bottleneck.ts'
import type { Target } from '../evidence.ts'
import { measure, prepareData, type StepResult } from '../measure.ts'
import { readOrExit } from '../options.ts'
import { openStage } from '../stage.ts'
import { scrape } from '../watch.ts'
import { renderCapacityChart } from './chart.ts'
import { evaluate, type Rig, type Row } from './evaluate.ts'
import { type CapacityOptions, readOptions } from './options.ts'
import { listProblems, renderReport } from './report.ts'

const USAGE =
  "make capacity TARGET=5000 SLO='p99<250ms' [SCENARIO=ping INSTANCES=1,2,4 DATABASE_POOL_MAX=10 ZONES=3 QUICK=1 URL=http://…]"

async function openRig({ system, scenario, serviceEnv, poolMax }: CapacityOptions, instances: number): Promise<Rig> {
  await using stack = new AsyncDisposableStack()
  const env = { ...serviceEnv, DATABASE_POOL_MAX: String(poolMax) }
  const { target } = stack.use(await openStage({ system, instances, env, sql: scenario.sql }))
  const data = await prepareData({ target, scenario })
  const owned = stack.move()
  return {
    measure: (options) => measure({ ...options, target, scenario, data }),
    readRss: () => readRss(target),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function readRss({ metrics = [] }: Target): Promise<number | undefined> {
  const scrapes = await Promise.all(metrics.map(scrape))
  const values = scrapes.flatMap(({ read }) => read('process_resident_memory_bytes') ?? [])
  return values.length === 0 ? undefined : Math.max(...values)
}

/** Returns the resource that was saturated in the failed measurement next to the knee. */
function explain({ measured }: Row): string | undefined {
  const failed = measured?.measurements.filter(({ outcome }) => !outcome.isHeld) ?? []
  const steps = failed.toSorted((a, b) => a.ratePerSecond - b.ratePerSecond).map(({ outcome }) => outcome.result)
  const isValid = (step: StepResult) => findBottleneck(step)?.resource !== 'generator'
  const found = findFirstBottleneck(steps.filter(isValid)) ?? findFirstBottleneck(steps)
  return found && `${found.resource} (at ${Math.round(found.step.rate)}/s: ${found.reason}).`
}

const cores = listCores().length
const options = readOrExit(() => readOptions(process.env, cores), USAGE)
const capacity = await evaluate({
  options,
  openRig: (instances) => openRig(options, instances),
  cores,
  onProgress: (line) => console.info(line),
})
const limits = capacity.rows.flatMap((row) => {
  const limit = explain(row)
  return limit === undefined ? [] : [[row.instances, limit] as const]
})
const { name } = JSON.parse(readFileSync('package.json', 'utf8'))
const machine = `${cores} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${new Date().toISOString().slice(0, 10)}`
const report = renderReport({ options, capacity, name, limits: new Map(limits), machine })
writeFileSync(join(import.meta.dirname, 'report.md'), report)
writeFileSync(join(import.meta.dirname, 'report.svg'), renderCapacityChart(capacity, options.scenario.title))
console.info(`\n${report}`)
const problems = listProblems(capacity)
for (const line of problems) console.error(line)
process.exitCode = problems.length > 0 ? 1 : 0
