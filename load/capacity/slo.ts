/** The latencies that a measurement reports. */
export interface Latencies {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface Objective {
  readonly figure: keyof Latencies
  readonly belowMs: number
}

const FIGURES: Readonly<Record<string, keyof Latencies>> = { p50: 'p50Ms', p95: 'p95Ms', p99: 'p99Ms', max: 'maxMs' }

/** Parses a list of objectives such as `p99<250ms` or `p50<20ms,p99<1s`. @throws Error with the expected syntax */
export function parseSlo(text: string): readonly Objective[] {
  return text.split(',').map((part) => {
    const [, name = '', value, unit] = /^\s*(\w+)\s*<\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*$/.exec(part) ?? []
    const figure = FIGURES[name]
    const belowMs = Number(value) * (unit === 's' ? 1_000 : 1)
    if (figure && belowMs > 0) return { figure, belowMs }
    const names = Object.keys(FIGURES).join(', ')
    throw new Error(`«${part.trim()}» is not an objective: expected one of ${names}, <, and a time, such as p99<250ms`)
  })
}

export const holds = (objectives: readonly Objective[], latencies: Latencies): boolean =>
  objectives.every(({ figure, belowMs }) => latencies[figure] < belowMs)
