/*
 * node bench/main.ts [start-up] [throughput] [memory] [scrape] [admission], and the parts that folders add: [notes]
 *
 * Measures these parts (default: all), prints a table and the verdict on each budget, and exits with 1 when a budget
 * does not hold. A run of all parts writes bench/results/full.*, and with QUICK=1 bench/results/quick.*.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { dirname, resolve } from 'node:path'
import { needTools } from '../test/support/tools.ts'
import { measureAdmission } from './admission.ts'
import { judge, readBudgets } from './budgets.ts'
import { buildGin } from './build-gin.ts'
import { buildService } from './build-service.ts'
import { renderChart } from './chart.ts'
import { startCollector } from './collector.ts'
import { startHungStores } from './hung-stores.ts'
import type { Measurement } from './measurement.ts'
import { measureMemory } from './memory.ts'
import { type Bench, BUILT, createPrograms } from './programs.ts'
import { type Circumstances, renderReport } from './report.ts'
import { measureScrapes } from './scrape.ts'
import { measureStartup } from './startup.ts'
import { measureThroughput } from './throughput.ts'

/**
 * The start-up part is first, because a machine is slower after ten minutes at saturation, and its figures vary more.
 */
const PARTS: Record<string, (bench: Bench) => Promise<Measurement[]>> = {
  'start-up': measureStartup,
  throughput: measureThroughput,
  memory: measureMemory,
  scrape: measureScrapes,
  admission: measureAdmission,
}

process.chdir(dirname(import.meta.dirname))
// The folder of the example adds a part.
for (const file of globSync('bench/*/part.ts')) Object.assign(PARTS, (await import(resolve(file))).parts)
const quick = Boolean(process.env['QUICK'])
const names = process.argv.slice(2)
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name))
if (unknown.length > 0) throw new Error(`unknown part ${unknown.join(', ')}: expected ${Object.keys(PARTS).join(', ')}`)

await needTools(['wrk', 'taskset', 'ps'], 'wrk util-linux procps')
await buildService(BUILT.service, { module: '/routes.ts', importer: '/app.ts', file: 'bench/service-routes.cjs' })
// The page cache holds larger pieces of a file that has just been linked, and each piece counts as resident.
copyFileSync('dist/app', BUILT.app)
const gin = await buildGin('bench/peers/gin', BUILT.gin)
const bench: Bench = {
  programs: createPrograms({ stores: await startHungStores(), collector: await startCollector(), gin }),
  quick,
}

// The report has the load average, because other load on the machine affects every figure.
const loadBefore = loadavg()[0] ?? 0
const measurements: Measurement[] = []
for (const [name, measure] of Object.entries(PARTS)) {
  if (names.length > 0 && !names.includes(name)) continue
  console.error(`measuring: ${name}`)
  // Without sync, the disk would still write the logs of the previous part and take processor time.
  execFileSync('sync')
  measurements.push(...(await measure(bench)))
}

function circumstances(): Circumstances {
  const [{ model } = { model: 'unknown' }] = cpus()
  const { dependencies } = JSON.parse(readFileSync('bench/package.json', 'utf8'))
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${model.trim()}, ${cpus().length} cores, ${process.platform} ${process.arch}`,
    'load average before': loadBefore.toFixed(2),
    node: process.version,
    service: execFileSync('dist/app', ['version'], { encoding: 'utf8' }).trim(),
    peers: Object.entries(dependencies)
      .map((each) => each.join(' '))
      .join(', '),
    gin: gin
      ? (readFileSync('bench/peers/gin/go.mod', 'utf8').match(/\S+ v\S+$/gm) ?? []).join(', ')
      : 'not measured: Go is not installed or its modules cannot be fetched',
  }
}

const about = circumstances()
const text = renderReport(about, measurements)
console.log(text)
if (names.length === 0) {
  const path = `bench/results/${quick ? 'quick' : 'full'}`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.md`, text)
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...about, measurements }, undefined, 2)}\n`)
  writeFileSync(
    `${path}.svg`,
    renderChart(measurements, (row) => /^(service|\/health)/.test(row)),
  )
}
for (const { holds, text } of judge(readBudgets(), measurements, { quick, isComplete: names.length === 0 })) {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${text}`)
  if (!holds) process.exitCode = 1
}
