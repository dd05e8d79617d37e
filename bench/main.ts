/*
 * node bench/main.ts [start-up] [throughput] [database] [memory]
 * Measures those parts, or all of them, prints a table and says which budgets hold; exits with 1 when
 * one does not. A run of all parts writes bench/results/full.*, and with QUICK=1 bench/results/quick.*.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { dirname } from 'node:path'
import { needTools } from '../test/support/tools.ts'
import { judge, readBudgets } from './budgets.ts'
import { buildGin } from './build-gin.ts'
import { buildService } from './build-service.ts'
import { chart } from './chart.ts'
import { measureDatabase } from './database.ts'
import { hungStores } from './hung-stores.ts'
import type { Measurement } from './measurement.ts'
import { measureMemory } from './memory.ts'
import { type Bench, BUILT, createPrograms } from './programs.ts'
import { type Circumstances, report } from './report.ts'
import { measureStartup } from './startup.ts'
import { measureThroughput } from './throughput.ts'

/** Starts come first: a machine that has been at saturation for ten minutes is slower, and from one start to the next. */
const PARTS: Readonly<Record<string, (bench: Bench) => Promise<Measurement[]>>> = {
  'start-up': measureStartup,
  throughput: measureThroughput,
  database: measureDatabase,
  memory: measureMemory,
}

process.chdir(dirname(import.meta.dirname))
const quick = Boolean(process.env['QUICK'])
const names = process.argv.slice(2)
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name))
if (unknown.length > 0)
  throw new Error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)

await needTools(['wrk', 'taskset', 'ps'], 'wrk util-linux procps')
await buildService(BUILT.service)
// Of a file that has just been linked, the page cache holds larger pieces, and all of a piece counts as resident.
copyFileSync('dist/app', BUILT.app)
const gin = await buildGin(BUILT.gin)
const bench: Bench = { programs: createPrograms({ stores: await hungStores(), gin }), quick }

// What else the machine does shows in every figure.
const loadBefore = loadavg()[0] ?? 0
const measurements: Measurement[] = []
for (const [name, measure] of Object.entries(PARTS)) {
  if (names.length > 0 && !names.includes(name)) continue
  console.error(`measuring: ${name}`)
  // The disk is still busy with the logs of the part before, and takes the processor's time.
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
const text = report(about, measurements)
console.log(text)
if (names.length === 0) {
  const path = `bench/results/${quick ? 'quick' : 'full'}`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.md`, text)
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...about, measurements }, undefined, 2)}\n`)
  writeFileSync(
    `${path}.svg`,
    chart(measurements, (row) => /^(service|\/health)/.test(row)),
  )
}
for (const { holds, text } of judge(readBudgets(), measurements, { quick })) {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${text}`)
  if (!holds) process.exitCode = 1
}
