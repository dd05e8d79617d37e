import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Scenario } from '../../resilience/scenario.ts'
import { send } from '../../support/send.ts'
import { createPrograms, type Program } from '../programs.ts'

/** Maximum number of open files of each server. */
const FILES = 12_000
const IDLE = 10_000
/** Connections of one flood. Each flood exceeds the free file descriptors, and all floods together exceed the limit. */
const FLOOD = 6_000
const FLOODS = 3
const FLOOD_PER_SECOND = 1_500
/** The timeout of a usual liveness probe. */
const PROBE_TIMEOUT_MS = 3_000
/**
 * Limit of the peak memory, in bytes. V8 collects the closed connections of several floods together; on a quiet
 * machine, six floods took at most 545 MB.
 */
const MAX_BYTES = 640e6

/**
 * Sends a probe on a new connection, as an orchestrator does. Resolves with the status, or with the reason for a
 * failure.
 */
async function probe(port: number): Promise<string> {
  const { status, error } = await send({ port, path: '/health/live', agent: false, timeout: PROBE_TIMEOUT_MS })
  return error?.message ?? String(status)
}

const readPeak = (pid: number) => {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

async function measure(start: (programs: ReturnType<typeof createPrograms>) => Promise<Program>) {
  await using programs = createPrograms()
  const { port, pid } = await start(programs)
  const results: string[] = []
  const open = async (count: number, perSecond: number) => {
    let isOver = false
    const opened = programs.start('connections', [port, count, perSecond]).finally(() => {
      isOver = true
    })
    while (!isOver) {
      results.push(await probe(port))
      await setTimeout(10)
    }
    await opened
    return readPeak(pid)
  }
  const peaks = [await open(IDLE, 2_000)]
  for (let flood = 0; flood < FLOODS; flood++) peaks.push(await open(FLOOD, FLOOD_PER_SECOND))
  return { failed: results.filter((result) => result !== '200'), probes: results.length, peaks }
}

export const scenario: Scenario = {
  title: `${IDLE} idle connections and ${FLOODS} floods of ${FLOOD} new ones, with ${FILES} open files`,
  async run() {
    const naive = await measure(({ start }) => start('plain', [], { files: FILES }))
    const env = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', OVERLOAD_WAIT_MS: '20' }
    const service = await measure(({ run }) =>
      run([process.execPath, resolve('dist/server.cjs')], { env, files: FILES }),
    )
    const probes = ({ failed, probes }: typeof naive) => `${failed.length} of ${probes} ${failed[0] ?? ''}`
    const memory = ({ peaks }: typeof naive) => peaks.map((bytes) => `${Math.round(bytes / 1e6)} MB`).join(', ')
    const isBounded = ({ peaks }: typeof naive) => Math.max(...peaks) < MAX_BYTES
    return {
      lagMs: 0,
      rows: [
        {
          goal: 'probes of /health/live that failed',
          limit: 'none',
          service: probes(service),
          naive: probes(naive),
          isMet: service.failed.length === 0,
          isMetNaively: naive.failed.length === 0,
        },
        {
          goal: 'peak memory with the idle connections and after each flood',
          limit: `${MAX_BYTES / 1e6} MB`,
          service: memory(service),
          naive: memory(naive),
          isMet: isBounded(service),
          isMetNaively: isBounded(naive),
        },
      ],
    }
  },
}
