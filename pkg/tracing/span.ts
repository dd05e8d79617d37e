export type AttributeValue = string | number | boolean
/** Names follow https://opentelemetry.io/docs/specs/semconv/ */
export type Attributes = Readonly<Record<string, AttributeValue>>
export type SpanKind = 'server' | 'client' | 'internal'

/** The position of the current span in its trace. */
export interface Trace {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly sampled: boolean
  readonly state: string | undefined
}

export interface FinishedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId?: string | undefined
  readonly requestId?: string | undefined
  readonly name: string
  readonly kind: SpanKind
  /** Milliseconds since the epoch, with a fraction. */
  readonly startedAt: number
  readonly durationMs: number
  readonly attributes: Attributes
  /**
   * The type of the error that ended the span: a code, a status or the name of a class, because messages may contain
   * values.
   */
  readonly error?: string | undefined
}

/** Receives finished spans. Neither method may throw. */
export interface SpanSink {
  /** Returns true when the sink receives the spans of this trace. */
  wants(trace: Trace): boolean
  onEnd(span: FinishedSpan): void
}

/** Longest text of an attribute, in characters. Real paths are shorter, and the limit bounds the memory of a span. */
const MAX_TEXT = 1024
const MAX_ATTRIBUTES = 64

/** The attributes of one span. Ignores attributes above the limit. */
export class AttributeSet {
  readonly values: Record<string, AttributeValue> = {}
  #count = 0

  constructor(attributes: Attributes = {}) {
    for (const name in attributes) this.set(name, attributes[name] as AttributeValue)
  }

  set(name: string, value: AttributeValue): void {
    if (!(name in this.values) && ++this.#count > MAX_ATTRIBUTES) return
    this.values[name] = typeof value === 'string' && value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value
  }
}

/** Returns the code of an error, or the name of its class when it has no code. */
export function findErrorType(error: unknown): string {
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as Partial<NodeJS.ErrnoException>
  const type = typeof code === 'string' && code !== '' ? code : name
  return typeof type === 'string' && /^[\w.-]{1,64}$/.test(type) ? type : '_OTHER'
}

/** Largest accepted difference between the returned time and the system's clock, in milliseconds. */
const MAX_DRIFT = 20

/**
 * Returns a function that converts a time of `performance.now()` to milliseconds since the epoch. `Date` has no
 * fractions, and `performance.timeOrigin` ignores later corrections of the system's clock.
 */
export function createEpochClock(): (time: number) => number {
  let offset = performance.timeOrigin
  return function toEpoch(time) {
    const drift = Date.now() - (offset + performance.now())
    if (Math.abs(drift) > MAX_DRIFT) offset += drift
    return offset + time
  }
}
