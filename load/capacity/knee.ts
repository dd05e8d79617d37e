/** The verdict of one measurement at a fixed rate. */
export interface Outcome {
  /** Every objective of latency holds, and no request has failed. */
  readonly isHeld: boolean
  /** The generator has sent its requests in time. */
  readonly isValid: boolean
}

export interface KneeOptions<T extends Outcome> {
  readonly measure: (ratePerSecond: number) => Promise<T>
  /** The search does not go below this rate, in requests per second. @default 10 */
  readonly lowest?: number
  /** The first rate. A search that starts near the knee is shorter. @default lowest */
  readonly start?: number
  /** Factor between two rates until the system fails. @default 2 */
  readonly growth?: number
  /** The search does not exceed this rate. @default 100_000 */
  readonly highest?: number
  /** Relative distance between two rates at which the search stops. @default 0.04 */
  readonly resolution?: number
  /** Measurements of each rate near the knee. @default 3 */
  readonly repetitions?: number
}

export interface Knee<T extends Outcome> {
  /** The highest rate that most repetitions held, in requests per second. 0 when the lowest rate already fails. */
  readonly ratePerSecond: number
  /** The highest rate that every repetition held. */
  readonly low: number
  /** The lowest rate that no repetition held. Absent when the search has found none. */
  readonly high?: number
  /**
   * - `system`: the system failed at the next rate
   * - `generator`: the generator was late at the next rate, so the knee is a lower bound
   * - `highest`: the system held the highest rate, so the knee is a lower bound
   * - `lowest`: the system failed at the lowest rate
   */
  readonly limit: 'system' | 'generator' | 'highest' | 'lowest'
  /** Every measurement, in the order of the search. */
  readonly measurements: readonly Measurement<T>[]
}

export interface Measurement<T extends Outcome> {
  readonly ratePerSecond: number
  readonly outcome: T
}

/** A late generator is measured again, because another program may have caused the delay. */
const ATTEMPTS = 3

/**
 * Finds the highest rate that a system holds: raises the rate until the system fails twice, bisects, and repeats the
 * measurements near the result. The latencies must count from the intended start of each request, so a rate that holds
 * counts even when the generator was late. A rate that fails counts only when the generator was in time.
 */
export async function findKnee<T extends Outcome>(options: KneeOptions<T>): Promise<Knee<T>> {
  const {
    measure,
    lowest = 10,
    start = lowest,
    highest = 100_000,
    growth = 2,
    resolution = 0.04,
    repetitions = 3,
  } = options
  const measurements: Measurement<T>[] = []
  const step = 1 + resolution

  async function probe(ratePerSecond: number): Promise<'held' | 'failed' | 'late'> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await measure(ratePerSecond)
      measurements.push({ ratePerSecond, outcome })
      if (outcome.isHeld) return 'held'
      if (outcome.isValid) return 'failed'
      if (attempt === ATTEMPTS) return 'late'
    }
  }

  let low = 0
  let high = Number.POSITIVE_INFINITY
  let limit = 'highest' as Knee<T>['limit']

  function fail(ratePerSecond: number, verdict: 'failed' | 'late'): void {
    high = ratePerSecond
    limit = verdict === 'late' ? 'generator' : 'system'
  }

  const listValid = (ratePerSecond: number) =>
    measurements
      .filter((each) => each.ratePerSecond === ratePerSecond)
      .map(({ outcome }) => outcome)
      .filter(({ isHeld, isValid }) => isHeld || isValid)

  /** Returns the share of repetitions that held the rate. Counts earlier measurements of the rate. */
  async function share(ratePerSecond: number): Promise<number> {
    while (listValid(ratePerSecond).length < repetitions) {
      if ((await probe(ratePerSecond)) !== 'late') continue
      fail(ratePerSecond, 'late')
      return 0
    }
    const valid = listValid(ratePerSecond)
    return valid.filter(({ isHeld }) => isHeld).length / valid.length
  }

  /** Returns whether enough measurements of a rate above the knee have failed. */
  const hasFailed = (ratePerSecond: number) => {
    const valid = listValid(ratePerSecond)
    return valid.length >= repetitions && valid.every(({ isHeld }) => !isHeld)
  }

  const result = (ratePerSecond: number): Knee<T> => {
    const isAbove = ratePerSecond > 0 || limit === 'generator'
    return {
      ...{ ratePerSecond, low, limit: isAbove ? limit : 'lowest', measurements },
      ...(isAbove && limit === 'system' && { high }),
    }
  }

  function nextRate(): number {
    if (low === 0) return Math.min(Math.max(Math.min(start, high / 2), lowest), highest)
    return Number.isFinite(high) ? Math.sqrt(low * high) : Math.min(low * growth, highest)
  }
  while (low < highest && (low === 0 ? high > lowest : high / low > step)) {
    const rate = nextRate()
    const first = await probe(rate)
    // One stall of the machine must not decide the search.
    const verdict = first === 'failed' ? await probe(rate) : first
    if (verdict === 'held') low = rate
    else fail(rate, verdict)
  }
  if (low === 0) return result(0)

  let knee = low
  // The steps grow, so that a noisy system does not need a hundred of them.
  for (let factor = step; (await share(knee)) <= 0.5; factor *= factor) {
    if (limit !== 'generator' || high !== knee) fail(knee, 'failed')
    knee /= factor
    if (knee < lowest) {
      low = 0
      return result(0)
    }
  }
  for (let factor = step; high <= highest && limit === 'system'; factor *= factor) {
    const held = await share(high)
    if (held > 0.5) knee = high
    if (held === 0) break
    high *= factor
  }
  // A noisy search may have passed a lower rate that always fails.
  if (limit === 'system') {
    const failed = measurements
      .map(({ ratePerSecond }) => ratePerSecond)
      .filter((rate) => rate > knee && hasFailed(rate))
    high = Math.min(high, ...failed)
  }
  low = knee
  for (let factor = step; low > 0 && (await share(low)) < 1; factor *= factor)
    low = low / factor < lowest ? 0 : low / factor
  return result(knee)
}
