/** A series has 60 slots of 15 seconds: 15 minutes. */
const SLOTS = 60
const SLOT_MS = 15_000
/** Four bins for each power of two from 1/8 ms to 65 s, so a percentile is within 9 % of the exact value. */
const BINS_PER_OCTAVE = 4
const MIN_MS = 1 / 8
const BINS = 19 * BINS_PER_OCTAVE
/**
 * The cells of a slot after its bins: the number of requests, the number of failed requests, and the number of the
 * slot.
 */
const COUNT = BINS
const FAILED = BINS + 1
const NUMBER = BINS + 2
const WIDTH = BINS + 3

export interface Window {
  /** Requests a second. */
  readonly rate: number
  /** Share of failed requests, from 0 to 1. */
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
  /** The rate, the share of failures and P99 of each slot of the last 15 minutes, the oldest first. */
  readonly slots: readonly (readonly [rate: number, failed: number, p99: number | null])[]
}

/** Counts requests and their durations for each route over the last 15 minutes. Histograms are merged, never averaged. */
export function createStatistics({ maxSeries = 64, now = Date.now } = {}) {
  const startedAt = now()
  /** Series by name. A series takes 19 kB. The last series counts the requests of all further names. */
  const series = new Map<string, Uint32Array>()

  function findSeries(name: string): Uint32Array {
    const key = series.has(name) || series.size < maxSeries - 1 ? name : 'other routes'
    const cells = series.get(key) ?? new Uint32Array(SLOTS * WIDTH)
    if (!series.has(key)) series.set(key, cells)
    return cells
  }

  function report(name: string, all: readonly Uint32Array[]): Report {
    const first = Math.floor(now() / SLOT_MS) - SLOTS + 1
    const slots = Array.from({ length: SLOTS }, (_, index) => {
      const place = ((first + index) % SLOTS) * WIDTH
      const current = all.map((cells) => cells.subarray(place, place + WIDTH))
      return current.filter((cells) => cells[NUMBER] === first + index)
    })
    const window = (from: number, to: number) => {
      const start = Math.max(startedAt, (first + from) * SLOT_MS)
      const seconds = (Math.min(now(), (first + to) * SLOT_MS) - start) / 1e3
      return summarize(sum(slots.slice(from, to).flat()), Math.max(1, seconds))
    }
    return {
      name,
      now: window(SLOTS - 2, SLOTS),
      recent: window(0, SLOTS),
      slots: slots.map((_, index) => {
        const { rate, failed, p99 } = window(index, index + 1)
        return [rate, failed, p99]
      }),
    }
  }

  return {
    record(name: string, durationMs: number, isFailed: boolean): void {
      const cells = findSeries(name)
      const slot = Math.floor(now() / SLOT_MS)
      const start = (slot % SLOTS) * WIDTH
      if (cells[start + NUMBER] !== slot) cells.fill(0, start, start + WIDTH)
      cells[start + NUMBER] = slot
      const bin = Math.floor(BINS_PER_OCTAVE * Math.log2(durationMs / MIN_MS))
      increment(cells, start + Math.min(BINS - 1, Math.max(0, bin)))
      increment(cells, start + COUNT)
      if (isFailed) increment(cells, start + FAILED)
    },
    /** Returns the total and each route, the busiest first. */
    read() {
      const routes = [...series].map(([name, cells]) => report(name, [cells]))
      return {
        total: report('total', [...series.values()]),
        routes: routes.sort((a, b) => b.recent.rate - a.recent.rate),
      }
    },
  }
}

function increment(cells: Uint32Array, index: number): void {
  cells[index] = (cells[index] as number) + 1
}

function sum(slots: readonly Uint32Array[]): Uint32Array {
  const sum = new Uint32Array(WIDTH)
  for (const cells of slots) {
    for (let index = 0; index < WIDTH; index++) sum[index] = (sum[index] as number) + (cells[index] as number)
  }
  return sum
}

function summarize(counts: Uint32Array, seconds: number): Window {
  const count = counts[COUNT] as number
  const failed = count === 0 ? 0 : (counts[FAILED] as number) / count
  return { rate: round(count / seconds), failed, p50: percentile(counts, 0.5), p99: percentile(counts, 0.99) }
}

/** Returns the geometric middle of the bin that contains the percentile. */
function percentile(counts: Uint32Array, share: number): number | null {
  const rank = Math.ceil((counts[COUNT] as number) * share)
  if (rank === 0) return null
  let bin = 0
  for (let below = counts[0] as number; below < rank; below += counts[bin] as number) bin++
  return round(MIN_MS * 2 ** ((bin + 0.5) / BINS_PER_OCTAVE))
}

/** Rounds to three significant digits. */
const round = (value: number) => Number(value.toPrecision(3))
