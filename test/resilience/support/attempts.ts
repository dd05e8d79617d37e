/** Longest test of `make resilience`, with all attempts. */
export const PATIENCE_MS = 900_000

/** Seconds of load. `make resilience DURATION_S=60` takes the time of the figures in docs/resilience.md. */
export const SECONDS = Number(process.env['DURATION_S'] ?? 10)

/** A full run is for a quiet machine. A short one tolerates neighbours. */
export const IS_FULL = SECONDS >= 60

export interface Goal {
  readonly goal: string
  readonly isMet: boolean
}

/**
 * Measures up to three times, because the processes of a shared machine disturb a measurement. Returns the goals that the
 * last attempt has missed.
 */
export async function attempt(measure: () => Promise<readonly Goal[]>): Promise<readonly string[]> {
  let missed: readonly string[] = []
  for (let count = 0; count < 3; count++) {
    missed = (await measure()).filter(({ isMet }) => !isMet).map(({ goal }) => goal)
    if (missed.length === 0) break
    report(`attempt ${count + 1} missed: ${missed.join('; ')}`)
  }
  return missed
}

export const report = (text: string): void => void process.stdout.write(`${text}\n`)
