import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, test } from '@jest/globals'
import { attempt, type Goal, PATIENCE_MS, report } from './support/attempts.ts'
import { killServices, startProgram, startService } from './support/processes.ts'

afterEach(killServices)

/** The limit of open files of the servers. */
const FILES = 12_000
const IDLE = 10_000
/** More than the limit leaves room for, and in all more than the limit. */
const FLOOD = 6_000
const FLOODS = 3
const FLOOD_PER_SECOND = 1_500
/** The timeout of the liveness probe in deploy/kubernetes. */
const PROBE_TIMEOUT_MS = 3_000
/** V8 collects the closed connections of several floods together: a quiet machine measures at most 545 MB in six floods. */
const MAX_BYTES = 640e6

/** Asks on a connection of its own, as an orchestrator does. Returns the status, or the reason of the failure. */
function probe(port: number): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ port, host: '127.0.0.1', path: '/health/live', agent: false, timeout: PROBE_TIMEOUT_MS })
    request.once('response', (response) => {
      response.resume()
      resolve(String(response.statusCode))
    })
    request.once('timeout', () => request.destroy(new Error('timeout')))
    request.once('error', ({ message }) => resolve(message))
  })
}

const readPeak = (pid: number) => {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

async function flood(name: string, { port, pid }: { readonly port: number; readonly pid: number }) {
  const results: string[] = []
  const open = async (count: number, perSecond: number) => {
    let isOver = false
    const opened = startService('connections', [port, count, perSecond].map(String)).finally(() => {
      isOver = true
    })
    while (!isOver) {
      results.push(await probe(port))
      await setTimeout(10)
    }
    await opened
    return readPeak(pid)
  }
  const idle = await open(IDLE, 2_000)
  const peaks: number[] = []
  for (let flood = 0; flood < FLOODS; flood++) peaks.push(await open(FLOOD, FLOOD_PER_SECOND))
  const failed = results.filter((result) => result !== '200')
  const megabytes = [idle, ...peaks].map((bytes) => Math.round(bytes / 1e6)).join(', ')
  report(
    `${name}: ${results.length} probes, ${failed.length} failed${failed.length > 0 ? ` (${failed[0]})` : ''}; ` +
      `peak memory with ${IDLE} idle connections and after each flood of ${FLOOD}: ${megabytes} MB`,
  )
  await killServices()
  return { failed: failed.length, peak: Math.max(...peaks) }
}

test(
  `${IDLE} idle connections and a flood of ${FLOOD}: the service stays live, and a plain server does not`,
  async () => {
    const missed = await attempt(async (): Promise<Goal[]> => {
      const plain = await flood('plain server', await startService('plain', [], { files: FILES }))
      const env = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', OVERLOAD_WAIT_MS: '20', LOG_LEVEL: 'info' }
      const ours = await flood('service', await startProgram([resolve('dist/app')], { env, files: FILES }))
      return [
        { goal: 'a plain server fails probes', isMet: plain.failed > 0 },
        { goal: 'every probe gets 200', isMet: ours.failed === 0 },
        { goal: 'the memory has a bound', isMet: ours.peak < MAX_BYTES },
      ]
    })
    expect(missed).toEqual([])
  },
  PATIENCE_MS,
)
