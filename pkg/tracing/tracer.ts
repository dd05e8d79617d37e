import {
  AttributeSet,
  type Attributes,
  type AttributeValue,
  createEpochClock,
  findErrorType,
  type SpanKind,
  type SpanSink,
  type Trace,
} from './span.ts'
import { UNRECORDED } from './untraced.ts'

/** The context of a request. */
export interface TracedContext {
  readonly requestId: string
  readonly trace: Trace
}

export interface Contexts<Context extends TracedContext = TracedContext> {
  /** Returns the context of the current request, or undefined outside a request. */
  current(): Context | undefined
  run<T>(context: Context, work: () => T): T
  mintSpanId(): string
}

export interface TracerOptions<Context extends TracedContext> {
  readonly context: Contexts<Context>
  readonly sinks: readonly SpanSink[]
}

export interface SpanOptions {
  /** @default 'internal' */
  readonly kind?: SpanKind
  readonly attributes?: Attributes
}

export interface Span {
  /** Truncates a text of more than 1024 characters. Ignores attributes after the first 64. */
  setAttribute(name: string, value: AttributeValue): void
  /**
   * Marks the span as failed although its work does not throw. Use few different values of `type`, such as a status or
   * a code.
   */
  fail(type: string): void
}

/**
 * A span that the caller ends. It does not become the current span, so later spans keep the current span as their
 * parent.
 */
export interface StartedSpan extends Span {
  readonly spanId: string
  /** Later calls do nothing. */
  end(error?: unknown): void
}

export interface StartOptions extends SpanOptions {
  /** @default the current span */
  readonly parentId?: string | undefined
}

export interface Tracer {
  /**
   * Runs `work` in a child span of the current span. The span ends when the promise of `work` settles. Returns the
   * result of `work`. Outside a request, or when no sink wants the trace, it runs `work` without a span.
   */
  trace<T>(name: string, options: SpanOptions, work: (span: Span) => T): T
  /** Starts a child span of the current span. Returns undefined outside a request or when no sink wants the trace. */
  start(name: string, options?: StartOptions): StartedSpan | undefined
  /** Returns the id of the current span, or undefined when no sink wants its trace. */
  currentSpanId(): string | undefined
}

/** Creates spans for work inside a request. */
export function createTracer<Context extends TracedContext>(options: TracerOptions<Context>): Tracer {
  const { context, sinks } = options
  const toEpoch = createEpochClock()
  const isWanted = (trace: Trace) => sinks.some((sink) => sink.wants(trace))

  /** Returns the current context when a sink wants its trace. */
  function findContext(): Context | undefined {
    const current = context.current()
    return current !== undefined && isWanted(current.trace) ? current : undefined
  }

  function begin(name: string, { requestId }: Context, trace: Trace, options: SpanOptions): StartedSpan {
    const { kind = 'internal', attributes } = options
    const { traceId, spanId, parentId } = trace
    const set = new AttributeSet(attributes)
    const startedAt = performance.now()
    let hasEnded = false
    let error: string | undefined
    return {
      spanId,
      setAttribute: (name, value) => set.set(name, value),
      fail(type) {
        error = type
      },
      end(cause) {
        if (hasEnded) return
        hasEnded = true
        const durationMs = performance.now() - startedAt
        if (cause !== undefined) error = findErrorType(cause)
        if (error !== undefined) set.set('error.type', error)
        const span = {
          ...{ traceId, spanId, parentId, requestId, name, kind, durationMs, error },
          startedAt: toEpoch(startedAt),
          attributes: set.values,
        }
        for (const sink of sinks) if (sink.wants(trace)) sink.onEnd(span)
      },
    }
  }

  return {
    trace(name, options, work) {
      const current = findContext()
      if (current === undefined) return work(UNRECORDED)
      const trace = { ...current.trace, spanId: context.mintSpanId(), parentId: current.trace.spanId }
      const span = begin(name, current, trace, options)
      try {
        const result = context.run({ ...current, trace }, () => work(span))
        const promise = result as { then?: unknown }
        if (typeof promise?.then === 'function') promise.then(() => span.end(), toEnd(span))
        else span.end()
        return result
      } catch (error) {
        span.end(error ?? 'error')
        throw error
      }
    },
    start(name, options = {}) {
      const current = findContext()
      if (current === undefined) return undefined
      const parentId = options.parentId ?? current.trace.spanId
      return begin(name, current, { ...current.trace, spanId: context.mintSpanId(), parentId }, options)
    },
    currentSpanId: () => findContext()?.trace.spanId,
  }
}

/** Returns a function that ends a span with the reason of a rejection, which may be undefined. */
const toEnd = (span: StartedSpan) => (reason: unknown) => span.end(reason ?? 'rejected')
