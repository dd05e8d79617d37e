import { listFindings } from './findings.ts'
import { createRequests } from './requests.ts'
import { type FinishedSpan, isFailed } from './span.ts'
import { createStatistics } from './statistics.ts'

export type { FinishedSpan }

export interface Reading {
  readonly name: string
  readonly value: number
  readonly unit: 'ms' | 'bytes' | 'percent' | ''
  /** The value at which the resource is exhausted. */
  readonly limit?: number
}

/** Readings that the page shows together, such as the readings of a pool. */
export interface Panel {
  readonly name: string
  /** The board calls it every five seconds. Each call may start a new period of measurement. */
  readonly read: () => readonly Reading[]
}

export interface BoardOptions {
  readonly service: string
  readonly version: string
  readonly phase: () => string
  /** Returns the health checks by name. */
  readonly checks: () => Readonly<Record<string, { readonly status: string; readonly reason?: string }>>
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

const SAMPLE_MS = 5_000
const SAMPLES = 180
const LISTED = 25
/** Highest number of readings over all panels. The page shows no further readings. */
const MAX_READINGS = 64

export type Board = ReturnType<typeof createBoard>

/** Keeps the requests and readings of the last 15 minutes for a page, in less than 4 MB. */
export function createBoard({ service, version, phase, checks, now = Date.now }: BoardOptions) {
  const startedAt = now()
  const statistics = createStatistics({ now })
  const requests = createRequests(now)
  const panels: Panel[] = []
  /** The last values of each reading, by panel and name. */
  const samples = new Map<string, Reading & { readonly panel: string; readonly values: number[] }>()

  function sample(panel: Panel): void {
    for (const reading of panel.read()) {
      const key = `${panel.name} ${reading.name}`
      const values = samples.get(key)?.values ?? []
      if (values.push(reading.value) > SAMPLES) values.shift()
      if (samples.has(key) || samples.size < MAX_READINGS) samples.set(key, { ...reading, panel: panel.name, values })
    }
  }
  const sampleAll = () => panels.forEach(sample)
  const timer = setInterval(sampleAll, SAMPLE_MS).unref()

  return {
    /** Receives every finished span. */
    onSpan(span: FinishedSpan): void {
      if (span.kind === 'server') statistics.record(span.name, span.durationMs, isFailed(span))
      requests.onSpan(span)
    },
    /** Receives every log line. */
    onLine: requests.onLine,
    addPanel(panel: Panel): void {
      panels.push(panel)
      sample(panel)
    },
    /** Reads every panel. The board calls it every five seconds. */
    sample: sampleAll,
    /** Returns the state of the service for the page. */
    read() {
      const state = { phase: phase(), checks: checks(), now: now(), ...statistics.read(), ...requests.list(LISTED) }
      const panels = [...samples.values()]
      return { service, version, startedAt, ...state, panels, findings: listFindings(state) }
    },
    /** Finds the requests with this request id or trace id, and their spans and log lines. */
    find: requests.find,
    stop: () => clearInterval(timer),
  }
}
