import { existsSync, readFileSync } from 'node:fs'
import { formatRatio } from './chart.ts'
import { type Measurement, median, ratios } from './measurement.ts'

export interface Budget {
  readonly measurement: string
  readonly of: string
  /** The row to compare with. @default the limit applies to the value itself */
  readonly to?: string
  readonly limit: Limit
  /**
   * A more generous limit for quick runs, which may run on shared machines.
   *
   * @default a quick run skips the budget
   */
  readonly quick?: Limit
  readonly reason: string
}

export type Limit = { readonly atLeast: number } | { readonly atMost: number }

const FILE = 'bench/budgets.json'

/** Reads the budgets. A service has none until it writes bench/budgets.json. */
export function readBudgets(): readonly Budget[] {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : []
}

export interface Verdict {
  readonly holds: boolean
  readonly text: string
}

/**
 * Judges the budgets. A missing row breaks its budget. A missing measurement breaks its budget in a complete run;
 * otherwise the budget is skipped.
 */
export function judge(
  budgets: readonly Budget[],
  measurements: readonly Measurement[],
  { quick, isComplete = false }: { readonly quick: boolean; readonly isComplete?: boolean },
): Verdict[] {
  return budgets.flatMap(({ of, to, reason, ...budget }) => {
    const measurement = measurements.find(({ name }) => name === budget.measurement)
    const limit = quick ? budget.quick : budget.limit
    if (limit === undefined || (measurement === undefined && !isComplete)) return []
    if (measurement === undefined) return [{ holds: false, text: `${budget.measurement} was not measured: ${reason}` }]
    const value = median(to === undefined ? (measurement.rows[of] ?? []) : ratios(measurement, of, to))
    const [holds, bound] =
      'atLeast' in limit ? [value >= limit.atLeast, `≥ ${limit.atLeast}`] : [value <= limit.atMost, `≤ ${limit.atMost}`]
    const unit = to === undefined ? measurement.unit : `× ${to}`
    const text = `${measurement.name}: ${of} is ${formatRatio(value, measurement.unit)} ${unit}, limit ${bound}: ${reason}`
    return [{ holds, text }]
  })
}
