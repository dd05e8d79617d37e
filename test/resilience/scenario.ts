/** A goal of a scenario, with what the service and the naive implementation did in the same run. */
export interface Row {
  readonly goal: string
  readonly limit: string
  readonly service: string
  readonly naive: string
  readonly isMet: boolean
  readonly isMetNaively: boolean
  /** A goal that a busy machine may miss. In an invalid run it is not judged. */
  readonly isTimed?: boolean
}

export interface Outcome {
  readonly rows: readonly Row[]
  /** Lag of the load generators at the 99th percentile, in milliseconds. */
  readonly lagMs: number
}

export interface ScenarioOptions {
  /** A short run with wide limits, for machines that do other work too. */
  readonly quick: boolean
}

export interface Scenario {
  readonly title: string
  run(options: ScenarioOptions): Promise<Outcome>
}

/** A generator that is later than this measures the machine, in milliseconds. */
export const MAX_LAG_MS = 20

/**
 * Judges the rows of a scenario. The naive implementation must miss at least one goal; otherwise the scenario shows
 * nothing. Returns one line for each problem.
 */
export function judge({ rows, lagMs }: Outcome): readonly string[] {
  const isValid = lagMs <= MAX_LAG_MS
  const judged = rows.filter(({ isTimed }) => isValid || !isTimed)
  return [
    ...judged.filter(({ isMet }) => !isMet).map(({ goal, limit, service }) => `${goal}: ${service}, expected ${limit}`),
    ...(rows.some(({ isMetNaively }) => !isMetNaively) ? [] : ['the naive implementation meets every goal']),
  ]
}
