/** Values of several programs. Each round measures every program once. */
export interface Measurement {
  readonly name: string
  /** The heading of the table: the figure and its conditions. */
  readonly title: string
  readonly unit: 'requests/s' | 'ms' | 'µs' | 'MB'
  /** The row to compare the other rows with. */
  readonly base: string
  /** One value for each round, by row. */
  readonly rows: Readonly<Record<string, readonly number[]>>
}

/** Returns NaN for an empty list. A comparison with NaN never holds. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/**
 * Returns the interval that contains the true median with a probability of about 95 %: the ranks n/2 ± 0.98 √n, for any
 * distribution. With fewer than eight values, it is their whole range.
 */
export function medianInterval(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = values.toSorted((a, b) => a - b)
  const left = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2))
  return [sorted[left] ?? Number.NaN, sorted[sorted.length - 1 - left] ?? Number.NaN]
}

/** Compares two rows round by round, because a slow round of the machine is slow for both. */
export function ratios({ rows }: Pick<Measurement, 'rows'>, of: string, to: string): number[] {
  const divisors = rows[to] ?? []
  return (rows[of] ?? []).map((value, round) => value / (divisors[round] ?? Number.NaN))
}

/** Measures every row once in each round. Neighbours in `rows` are measured within seconds of each other. */
export async function inRounds<Item, Value>(
  rounds: number,
  rows: Readonly<Record<string, Item>>,
  measure: (item: Item) => Promise<Value>,
): Promise<Record<string, Value[]>> {
  const values: Record<string, Value[]> = {}
  for (let round = 0; round < rounds; round++) {
    for (const [row, item] of Object.entries(rows)) {
      values[row] ??= []
      values[row].push(await measure(item))
    }
  }
  return values
}
