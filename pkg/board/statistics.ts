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

/** The counts of a route, and what `report` has computed from the slots that have ended. */
interface Series {
  readonly name: string
  readonly cells: Uint32Array
  /** The rate, the share of failures and P99 of each ended slot, at the place of the slot. P99 is NaN without requests. */
  readonly ended: Float64Array
  /** The sum of the slots before the slot `next`, without the slots older than 15 minutes. */
  readonly before: Uint32Array
  /** The first slot that has not ended when `before` was computed. */
  next: number
}

const createSeries = (name: string): Series => ({
  name,
  cells: new Uint32Array(SLOTS * WIDTH),
  ended: new Float64Array(SLOTS * 3),
  before: new Uint32Array(WIDTH),
  next: 0,
})

/** Counts requests and their durations for each route over the last 15 minutes. Histograms are merged, never averaged. */
export function createStatistics({ maxSeries = 64, now = Date.now } = {}) {
  const startedAt = now()
  const currentSlot = () => Math.floor(now() / SLOT_MS)
  const total = createSeries('total')
  /** Series by name. A series takes 21 kB. The last series counts the requests of all further names. */
  const series = new Map<string, Series>()

  function findSeries(name: string): Series {
    const key = series.has(name) || series.size < maxSeries - 1 ? name : 'other routes'
    const found = series.get(key) ?? createSeries(key)
    if (!series.has(key)) series.set(key, found)
    return found
  }

  function count({ cells }: Series, slot: number, bin: number, isFailed: boolean): void {
    const start = (slot % SLOTS) * WIDTH
    if (cells[start + NUMBER] !== slot) cells.fill(0, start, start + WIDTH)
    cells[start + NUMBER] = slot
    for (const cell of isFailed ? [bin, COUNT, FAILED] : [bin, COUNT]) add(cells, start + cell, 1)
  }

  /** Summarizes the counts of the slots from `from` to `to`, without `to`. */
  function summarizeSlots(counts: Uint32Array, from: number, to: number): Window {
    const start = Math.max(startedAt, from * SLOT_MS)
    return summarize(counts, Math.max(1, (Math.min(now(), to * SLOT_MS) - start) / 1e3))
  }

  /** Computes the values of the slots that have ended since the last call. They never change again. */
  function endSlots(each: Series, current: number): void {
    if (each.next === current) return
    for (let slot = Math.max(each.next, current - SLOTS + 1); slot < current; slot++) {
      const { rate, failed, p99 } = summarizeSlots(sum(each.cells, slot, slot + 1), slot, slot + 1)
      each.ended.set([rate, failed, p99 ?? Number.NaN], (slot % SLOTS) * 3)
    }
    each.before.set(sum(each.cells, current - SLOTS + 1, current))
    each.next = current
  }

  function report(each: Series): Report {
    const current = currentSlot()
    const first = current - SLOTS + 1
    endSlots(each, current)
    const { name, cells, ended, before } = each
    const last = sum(cells, current, current + 1)
    const { rate, failed, p99 } = summarizeSlots(last, current, current + 1)
    const slots = Array.from({ length: SLOTS - 1 }, (_, index): Report['slots'][number] => {
      const [rate = 0, failed = 0, p99 = 0] = ended.subarray(((first + index) % SLOTS) * 3)
      return [rate, failed, Number.isNaN(p99) ? null : p99]
    })
    return {
      name,
      now: summarizeSlots(sum(cells, current - 1, current + 1), current - 1, current + 1),
      recent: summarizeSlots(merge(before, last), first, current + 1),
      slots: [...slots, [rate, failed, p99]],
    }
  }

  return {
    record(name: string, durationMs: number, isFailed: boolean): void {
      const slot = currentSlot()
      const bin = Math.floor(BINS_PER_OCTAVE * Math.log2(durationMs / MIN_MS))
      const place = Math.min(BINS - 1, Math.max(0, bin))
      count(findSeries(name), slot, place, isFailed)
      count(total, slot, place, isFailed)
    },
    /** Returns the total and each route, the busiest first. */
    read() {
      const routes = [...series.values()].map(report)
      return { total: report(total), routes: routes.sort((a, b) => b.recent.rate - a.recent.rate) }
    },
  }
}

function add(counts: Uint32Array, index: number, count: number): void {
  counts[index] = (counts[index] as number) + count
}

const merge = (a: Uint32Array, b: Uint32Array) => a.map((count, index) => count + (b[index] as number))

/** Adds the counts of the slots from `from` to `to`, without `to`. */
function sum(cells: Uint32Array, from: number, to: number): Uint32Array {
  const sum = new Uint32Array(WIDTH)
  for (let slot = from; slot < to; slot++) {
    const place = (slot % SLOTS) * WIDTH
    // Otherwise the place has the counts of an older slot.
    if (cells[place + NUMBER] !== slot) continue
    for (let index = 0; index < NUMBER; index++) add(sum, index, cells[place + index] as number)
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
