/** A finished span, as `pkg/tracing` gives it to a sink. Attributes have the names of OpenTelemetry's conventions. */
export interface FinishedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId?: string | undefined
  readonly requestId?: string | undefined
  readonly name: string
  readonly kind: 'server' | 'client' | 'internal'
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly error?: string | undefined
}

export const isFailed = ({ error, attributes }: FinishedSpan) =>
  error !== undefined || Number(attributes['http.response.status_code']) >= 500

/** Names the work of a span: `database SELECT items`, `redis GET`, `upstream POST payments`, `upstream GET 10.0.0.7`. */
export function describeSpan({ name, kind, attributes }: FinishedSpan): string {
  const system = attributes['db.system.name']
  if (system !== undefined) return `${system === 'postgresql' ? 'database' : system} ${name}`
  if (kind !== 'client') return name
  const isNamed = name.includes(' ')
  return isNamed ? `upstream ${name}` : `upstream ${name} ${attributes['server.address'] ?? ''}`.trimEnd()
}
