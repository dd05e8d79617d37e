import { describeSpan, type FinishedSpan } from './span.ts'

/**
 * Finds the work that explains the duration of a request, such as `database SELECT items 300 ms of 312 ms`. Each moment
 * counts for the innermost spans in progress, so a span that waits for its children is not the cause. Spans of the same
 * work count together, because forty fast queries may be the cause. Parallel spans of the same work count once.
 */
export function findCause(server: FinishedSpan, children: readonly FinishedSpan[]): string {
  const start = server.startedAt
  const end = start + server.durationMs
  const spans = children.map((span) => ({
    span,
    name: describeSpan(span),
    from: Math.max(start, span.startedAt),
    to: Math.min(end, span.startedAt + span.durationMs),
  }))
  const durations = new Map<string, number>()
  const moments = [start, end, ...spans.flatMap(({ from, to }) => [from, to])].sort((a, b) => a - b)
  for (const [index, from] of moments.slice(0, -1).entries()) {
    const to = moments[index + 1] as number
    const active = spans.filter((each) => each.from < to && each.to > from)
    const parents = new Set(active.map(({ span }) => span.parentId))
    const names = active.filter(({ span }) => !parents.has(span.spanId)).map(({ name }) => name)
    for (const name of new Set(names.length === 0 ? ['code without a span'] : names)) {
      durations.set(name, (durations.get(name) ?? 0) + to - from)
    }
  }
  const [name, durationMs] = [...durations].reduce((longest, each) => (each[1] > longest[1] ? each : longest))
  const count = spans.filter((each) => each.name === name).length
  return `${name}${count > 1 ? ` × ${count}` : ''} ${milliseconds(durationMs)} of ${milliseconds(server.durationMs)}`
}

const milliseconds = (value: number) => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ms`
