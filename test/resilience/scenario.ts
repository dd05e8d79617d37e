/** A goal of a scenario, with the results of the service and of the naive implementation in the same run. */
export interface Row {
  readonly goal: string
  readonly limit: string
  readonly service: string
  readonly naive: string
  readonly isMet: boolean
  readonly isMetNaively: boolean
  /** True for a goal that a busy machine may miss. An invalid run does not judge it. @default false */
  readonly isTimed?: boolean
}

export interface Outcome {
  readonly rows: readonly Row[]
  /** 99th percentile of the lag of the load generators, in milliseconds. */
  readonly lagMs: number
}

export interface ScenarioOptions {
  /** Requests a short run with wide limits, for machines that do other work too. */
  readonly quick: boolean
}

export interface Scenario {
  readonly title: string
  run(options: ScenarioOptions): Promise<Outcome>
}

/** Largest lag of a valid run, in milliseconds. With a larger lag, the result depends on the machine. */
export const MAX_LAG_MS = 20

/**
 * Judges the rows of a scenario. The naive implementation must miss at least one goal; otherwise the scenario shows
 * nothing. Returns one line for each problem.
 */
export function judge({ rows, lagMs }: Outcome): readonly string[] {
  // A run without requests has no lag that could excuse a failure.
  const isLate = lagMs > MAX_LAG_MS
  const judged = rows.filter(({ isTimed }) => !(isLate && isTimed))
  return [
    ...judged.filter(({ isMet }) => !isMet).map(({ goal, limit, service }) => `${goal}: ${service}, expected ${limit}`),
    ...(rows.some(({ isMetNaively }) => !isMetNaively) ? [] : ['the naive implementation meets every goal']),
  ]
}
