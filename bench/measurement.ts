/** Values of several programs, taken in rounds: each round measures every program once, in turn. */
export interface Measurement {
  readonly name: string
  /** For people: what is counted, and under which conditions. */
  readonly title: string
  readonly unit: 'requests/s' | 'ms' | 'MB'
  /** The row that the others are compared with. */
  readonly base: string
  /** One value a round, by row. */
  readonly rows: Readonly<Record<string, readonly number[]>>
}

/** NaN for nothing, so that no comparison with it holds. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/** Of one row to another, round by round: a machine that gets slower gets slower for both. */
export function ratios({ rows }: Pick<Measurement, 'rows'>, of: string, to: string): number[] {
  const divisors = rows[to] ?? []
  return (rows[of] ?? []).map((value, round) => value / (divisors[round] ?? Number.NaN))
}

/** Measures every row once a round. Neighbours in `rows` are measured within seconds of each other. */
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
