/** Each series has 60 slots of 15 seconds. A slot has a histogram, the number of requests and the number of failures. */
const SLOTS = 60
const SLOT_MS = 15_000
/** Four bins for each power of two from 1/8 ms to 65 s, so a percentile is within 9 % of the exact value. */
const BINS_PER_OCTAVE = 4
const MIN_MS = 1 / 8
const BINS = 19 * BINS_PER_OCTAVE
const COUNT = BINS
const FAILED = BINS + 1
const WIDTH = BINS + 2

/** The name of the series of the requests beyond the limit of series. */
export const OTHER = 'other'

export interface Window {
  /** Requests a second. */
  readonly rate: number
  /** Share of the requests that failed, from 0 to 1. */
  readonly failed: number
  /** Milliseconds, or null without requests. */
  readonly p50: number | null
  readonly p99: number | null
}

export interface Report {
  readonly name: string
  /** The last 15 to 30 seconds. */
  readonly now: Window
  /** The last 15 minutes, or the time since the start. */
  readonly recent: Window
  /** A value for each slot of the last 15 minutes, the oldest first. */
  readonly rates: readonly number[]
  readonly failures: readonly number[]
  readonly p99s: readonly (number | null)[]
}

export interface StatisticsOptions {
  /** The number of series; each takes 19 kB. @default 64 */
  readonly maxSeries?: number
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** Counts requests and their durations for each route over the last 15 minutes. Histograms are merged, never averaged. */
export function createStatistics({ maxSeries = 64, now = Date.now }: StatisticsOptions = {}) {
  const startedAt = now()
  const series = new Map<string, ReturnType<typeof createSeries>>()

  function findSeries(name: string) {
    const key = series.has(name) || series.size < maxSeries - 1 ? name : OTHER
    const found = series.get(key) ?? createSeries()
    if (!series.has(key)) series.set(key, found)
    return found
  }

  return {
    record(name: string, durationMs: number, isFailed: boolean): void {
      findSeries(name).record(Math.floor(now() / SLOT_MS), durationMs, isFailed)
    },
    /** Returns the totals and each route, the busiest first. */
    read() {
      const first = Math.floor(now() / SLOT_MS) - SLOTS + 1
      /** The time that the service has run in each slot. */
      const seconds = Array.from({ length: SLOTS }, (_, index) => {
        const from = (first + index) * SLOT_MS
        return Math.max(0, Math.min(now(), from + SLOT_MS) - Math.max(startedAt, from)) / 1e3
      })
      const reports = [...series].map(([name, one]) => ({
        name,
        slots: seconds.map((_, index) => one.read(first + index)),
      }))
      const total = seconds.map((_, index) => merge(reports.map(({ slots }) => slots[index])))
      const routes = reports.map(({ name, slots }) => report(name, slots, seconds))
      return { total: report('total', total, seconds), routes: routes.sort((a, b) => b.recent.rate - a.recent.rate) }
    },
  }
}

type Counts = Uint32Array | undefined

function createSeries() {
  const cells = new Uint32Array(SLOTS * WIDTH)
  const numbers = new Uint32Array(SLOTS)
  return {
    record(slot: number, durationMs: number, isFailed: boolean): void {
      const start = (slot % SLOTS) * WIDTH
      if (numbers[slot % SLOTS] !== slot) cells.fill(0, start, start + WIDTH)
      numbers[slot % SLOTS] = slot
      const bin = Math.floor(BINS_PER_OCTAVE * Math.log2(durationMs / MIN_MS))
      const cell = start + Math.min(BINS - 1, Math.max(0, bin))
      cells[cell] = (cells[cell] as number) + 1
      cells[start + COUNT] = (cells[start + COUNT] as number) + 1
      if (isFailed) cells[start + FAILED] = (cells[start + FAILED] as number) + 1
    },
    read(slot: number): Counts {
      const start = (slot % SLOTS) * WIDTH
      return numbers[slot % SLOTS] === slot ? cells.subarray(start, start + WIDTH) : undefined
    },
  }
}

function merge(all: readonly Counts[]): Uint32Array {
  const sum = new Uint32Array(WIDTH)
  for (const counts of all) counts?.forEach((count, cell) => void (sum[cell] = (sum[cell] as number) + count))
  return sum
}

function report(name: string, slots: readonly Counts[], seconds: readonly number[]): Report {
  const rates = (cell: number) =>
    slots.map((counts, index) => round((counts?.[cell] ?? 0) / Math.max(1, seconds[index] as number)))
  const window = (count: number) =>
    summarize(
      merge(slots.slice(-count)),
      seconds.slice(-count).reduce((sum, each) => sum + each),
    )
  return {
    name,
    now: window(2),
    recent: window(SLOTS),
    rates: rates(COUNT),
    failures: rates(FAILED),
    p99s: slots.map((counts) => percentile(counts, 0.99)),
  }
}

function summarize(counts: Uint32Array, seconds: number): Window {
  const count = counts[COUNT] as number
  return {
    rate: round(count / Math.max(1, seconds)),
    failed: count === 0 ? 0 : (counts[FAILED] as number) / count,
    p50: percentile(counts, 0.5),
    p99: percentile(counts, 0.99),
  }
}

/** Returns the geometric middle of the bin that contains the percentile, or null without requests. */
function percentile(counts: Counts, share: number): number | null {
  let left = Math.ceil((counts?.[COUNT] ?? 0) * share)
  if (counts === undefined || left === 0) return null
  let bin = 0
  while ((left -= counts[bin] as number) > 0) bin++
  return round(MIN_MS * 2 ** ((bin + 0.5) / BINS_PER_OCTAVE))
}

/** Three significant digits. */
const round = (value: number) => Number(value.toPrecision(3))
