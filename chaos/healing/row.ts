import { resolve } from 'node:path'

/**
 * Imports a module of a way of deployment. A static import would break the types of a service that has deleted the
 * folder.
 */
export const importWay = async <T>(path: string): Promise<T> => import(resolve(path))

/** A limit of a row of the table. */
export interface Goal {
  /** The measured time or share, such as `detected`. */
  readonly name: string
  readonly unit: 's' | 'ms' | '%' | ''
  /** The largest value. With `isMinimum`, the smallest value. @default a value without a goal */
  readonly limit?: number
  readonly isMinimum?: boolean
}

/** The values of one repetition by the names of the goals. */
export type Sample = Readonly<Record<string, number>>

export interface RowOptions {
  /** Shortens the times of a row. */
  readonly quick: boolean
  /** Number of repetitions. A row with a long fault measures it at most three times. */
  readonly repeat: number
  /** A directory of the row, which is empty. */
  readonly directory: string
}

export interface Outcome {
  readonly samples: readonly Sample[]
  /** Reason why the machine was too busy for the measurement. The goals are then not judged. */
  readonly invalid?: string
}

/** One line of the table of healing: a fault, and how fast the service or the responder heals it. */
export interface Row {
  /** The name for ONLY=…, such as `payments`. */
  readonly name: string
  readonly fault: string
  readonly healer: 'in process' | 'responder' | 'watchdog of systemd'
  readonly goals: readonly Goal[]
  /** Folders that a service may have deleted. Without them, the row is skipped. @default none */
  readonly needs?: readonly string[]
  /** True for a row that `make chaos QUICK=1` runs. @default false */
  readonly isQuick?: boolean
  /** @throws when the row could not be measured */
  measure(options: RowOptions): Promise<Outcome>
}

/** Returns the median and the worst of the values. The worst value of a minimum is the smallest. */
export function summarize(values: readonly number[], { isMinimum }: Pick<Goal, 'isMinimum'>) {
  const sorted = values.toSorted((a, b) => (isMinimum ? b - a : a - b))
  const { length } = sorted
  const [low, high] = [sorted[Math.floor((length - 1) / 2)], sorted[Math.ceil((length - 1) / 2)]]
  return { median: ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2, worst: sorted.at(-1) ?? Number.NaN }
}

/** Returns true when no value misses the goal. A value that was not measured, NaN, misses it. */
export function isMet(values: readonly number[], { limit, isMinimum }: Goal): boolean {
  if (limit === undefined) return true
  return values.length > 0 && values.every((value) => (isMinimum ? value >= limit : value <= limit))
}

const show = (value: number, unit: Goal['unit']) =>
  `${unit === 's' ? value.toFixed(1) : Math.round(value)}${unit === '' ? '' : ` ${unit}`}`

const describeLimit = ({ limit, unit, isMinimum }: Goal) =>
  limit === undefined ? '–' : `${isMinimum ? '≥' : '≤'} ${limit}${unit === '' ? '' : ` ${unit}`}`

/** Returns the lines of the table for one row, and a problem for each missed goal. */
export function report({ fault, healer, goals }: Row, { samples, invalid }: Outcome) {
  const lines: string[] = []
  const problems: string[] = []
  for (const goal of goals) {
    const values = samples.map((sample) => sample[goal.name] ?? Number.NaN)
    const { median, worst } = summarize(values, goal)
    const met = isMet(values, goal)
    const cells = [fault, healer, goal.name, describeLimit(goal), show(median, goal.unit), show(worst, goal.unit)]
    lines.push(`| ${cells.join(' | ')}${met ? '' : ' ✗'} | ${values.length} |`)
    if (!met && invalid === undefined) {
      problems.push(`${fault}, ${healer}: ${goal.name} ${show(worst, goal.unit)}, expected ${describeLimit(goal)}`)
    }
  }
  return { lines, problems }
}
