import type { Tolerance } from './experiment.ts'

/** The output of an activity, with the names of the Chaos Toolkit. */
export interface Output {
  /** The HTTP status, or the exit code. */
  readonly status: number
  readonly body?: unknown
  readonly stdout?: string
  readonly stderr?: string
}

/** Compares the output of a probe with its tolerance, as the Chaos Toolkit does. */
export function isWithinTolerance(tolerance: Tolerance, output: Output): boolean {
  if (typeof tolerance === 'number') return output.status === tolerance
  if (Array.isArray(tolerance)) return tolerance.includes(output.status)
  const value = output[tolerance.target]
  switch (tolerance.type) {
    case 'range': {
      const [least, most] = tolerance.range
      // Number() converts null, an empty text and an empty list to 0.
      const number = /\S/.test(String(value ?? '')) && !Array.isArray(value) ? Number(value) : Number.NaN
      return number >= least && number <= most
    }
    case 'regex':
      return new RegExp(tolerance.pattern).test(String(value))
  }
}
