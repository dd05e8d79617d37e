import type { Tolerance } from './experiment.ts'

/** The output of an activity, with the names of the Chaos Toolkit. */
export interface Output {
  /** The HTTP status, or the exit code. */
  readonly status: number
  readonly body?: unknown
  readonly stdout?: string
  readonly stderr?: string
}

/** Follows a path of names and indexes. Returns undefined when the value has no such part. */
function follow(value: unknown, path: string): unknown {
  const keys = [...path.matchAll(/\.(\w+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index))
  return keys.reduce<unknown>(
    (part, key) => (part === null || part === undefined ? undefined : (part as Record<PropertyKey, unknown>)[key]),
    value,
  )
}

function readJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** Compares the output of a probe with its tolerance, as the Chaos Toolkit does. */
export function isWithinTolerance(tolerance: Tolerance, output: Output): boolean {
  if (typeof tolerance === 'number') return output.status === tolerance
  if (Array.isArray(tolerance)) return tolerance.includes(output.status)
  const value = output[tolerance.target]
  switch (tolerance.type) {
    case 'range': {
      const [least, most] = tolerance.range
      const number = String(value).trim() === '' ? Number.NaN : Number(value)
      return number >= least && number <= most
    }
    case 'regex':
      return new RegExp(tolerance.pattern).test(String(value))
    case 'jsonpath':
      return follow(readJson(value), tolerance.path) === tolerance.expect
  }
}
