import { describeSpan, type FinishedSpan } from './span.ts'

/** The work that took the largest part of a request. */
export interface Cause {
  /** Such as `database SELECT notes`, or `code without a span`. */
  readonly name: string
  /** Spans of this work. */
  readonly count: number
  /** Time in which this work was in progress, in milliseconds. Parallel spans count once. */
  readonly durationMs: number
}

export const OWN_CODE = 'code without a span'

/**
 * Finds the work that explains the duration of a request. Each moment counts for the innermost spans in progress, so a
 * span that waits for its children is not blamed. Spans of the same work count together: forty fast queries may be the
 * cause.
 */
export function findCause(server: FinishedSpan, children: readonly FinishedSpan[]): Cause {
  const start = server.startedAt
  const end = start + server.durationMs
  const spans = children.map((span) => ({
    span,
    name: describeSpan(span),
    from: Math.max(start, span.startedAt),
    to: Math.min(end, span.startedAt + span.durationMs),
  }))
  const durations = new Map<string, number>([[OWN_CODE, 0]])
  const moments = [start, end, ...spans.flatMap(({ from, to }) => [from, to])].sort((a, b) => a - b)
  for (const [index, from] of moments.slice(0, -1).entries()) {
    const to = moments[index + 1] as number
    const active = spans.filter((each) => each.from < to && each.to > from)
    const parents = new Set(active.map(({ span }) => span.parentId))
    const names = new Set(active.filter(({ span }) => !parents.has(span.spanId)).map(({ name }) => name))
    if (names.size === 0) names.add(OWN_CODE)
    for (const name of names) durations.set(name, (durations.get(name) ?? 0) + to - from)
  }
  const [name, durationMs] = [...durations].reduce((longest, each) => (each[1] > longest[1] ? each : longest))
  return { name, count: spans.filter((each) => each.name === name).length, durationMs }
}

/** Such as `database SELECT notes 300 ms of 312 ms`. */
export function describeCause({ name, count, durationMs }: Cause, requestMs: number): string {
  return `${name}${count > 1 ? ` × ${count}` : ''} ${milliseconds(durationMs)} of ${milliseconds(requestMs)}`
}

const milliseconds = (value: number) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ms`
