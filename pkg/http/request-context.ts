import { AsyncLocalStorage } from 'node:async_hooks'
import type { Request, RequestHandler, Response } from 'express'
import { requestId } from './request-id.ts'
import { createIds, formatTraceparent, parseTraceparent, parseTracestate, type TraceContext } from './trace-context.ts'

export type { TraceContext }

/** The order in which an overloaded service refuses requests is background, normal, core. */
export type Priority = 'core' | 'normal' | 'background'

/** The values that all work of a request shares. */
export interface Context {
  readonly requestId: string
  readonly trace: TraceContext
  /** When the caller stops waiting: a time of `performance.now()` in milliseconds. */
  readonly deadline: number | undefined
  readonly priority: Priority | undefined
  /** Aborts when the caller disconnects. Set together with `deadline`. */
  readonly signal?: AbortSignal
}

/**
 * Decides whether a trace is recorded. `parent` is the decision of a trusted caller, or undefined for a new trace or an
 * untrusted caller.
 */
export type Sample = (traceId: string, parent: boolean | undefined) => boolean

declare module 'node:http' {
  interface IncomingMessage {
    /** Set by the middleware of the request context. It stays available after the end of the request. */
    context?: Context
  }
}

export interface RequestContextOptions {
  /** @default the service records no spans, and passes on the decision of a trusted caller */
  readonly sample?: Sample | undefined
  /** Called at the start of each request. */
  readonly onRequest?: ((req: Request, res: Response, context: Context) => void) | undefined
}

export interface RequestContext {
  /**
   * Gives each request an id and a trace, and keeps them for all asynchronous work of the request. Responds with the id
   * as `x-request-id`. Continues the trace of a valid `traceparent`.
   */
  middleware(options?: RequestContextOptions): RequestHandler
  /** Returns middleware that sets the priority in the context of a request. It must run after `middleware`. */
  prioritize(priority: Priority): RequestHandler
  /** Returns the context of the current request, or undefined outside a request. */
  current(): Context | undefined
  /** Runs `work` in a context, such as the context of a child span. */
  run<T>(context: Context, work: () => T): T
  /** Returns the headers that continue the current trace in another service. Empty outside a request. */
  outgoingHeaders(): OutgoingHeaders
  /** Creates a random span id. */
  mintSpanId(): string
}

export interface OutgoingHeaders {
  readonly traceparent?: string
  readonly tracestate?: string
}

/** The context of a request whose spans this service does not record. */
interface Unrecorded extends Context {
  /** The id of the caller's span. It is the only recorded parent for the spans of the next service. */
  readonly callerSpanId?: string | undefined
}

export function createRequestContext(): RequestContext {
  const storage = new AsyncLocalStorage<Unrecorded>()
  const ids = createIds()

  function startTrace(req: Request, sample: Sample | undefined): TraceContext {
    const { traceparent, tracestate } = req.headers
    const parent = typeof traceparent === 'string' ? parseTraceparent(traceparent) : undefined
    if (parent === undefined) {
      const { traceId, spanId } = ids.mint()
      const sampled = sample?.(traceId, undefined) ?? false
      return { traceId, spanId, parentId: undefined, sampled, state: undefined }
    }
    const { traceId, parentId } = parent
    const decision = isFromProxy(req) ? parent.sampled : undefined
    const sampled = sample ? sample(traceId, decision) : (decision ?? false)
    const state = typeof tracestate === 'string' ? parseTracestate(tracestate) : undefined
    return { traceId, spanId: ids.mintSpanId(), parentId, sampled, state }
  }

  return {
    middleware: ({ sample, onRequest } = {}) =>
      function requestContext(req, res, next) {
        const id = requestId(req)
        const trace = startTrace(req, sample)
        const callerSpanId = sample === undefined ? trace.parentId : undefined
        const context: Unrecorded = { requestId: id, trace, deadline: undefined, priority: undefined, callerSpanId }
        req.id = id
        req.context = context
        res.setHeader('x-request-id', id)
        onRequest?.(req, res, context)
        storage.run(context, next)
      },
    prioritize: (priority) =>
      function prioritize(req, _res, next) {
        // The storage holds the same object.
        if (req.context) Object.assign(req.context, { priority })
        next()
      },
    current: () => storage.getStore(),
    run: (context, work) => storage.run(context, work),
    outgoingHeaders() {
      const context = storage.getStore()
      if (context === undefined) return {}
      const { traceId, spanId, sampled, state } = context.trace
      const traceparent = formatTraceparent(traceId, context.callerSpanId ?? spanId, sampled)
      return state === undefined ? { traceparent } : { traceparent, tracestate: state }
    },
    mintSpanId: ids.mintSpanId,
  }
}

/** Returns true when TRUST_PROXY names the peer that has opened the connection. */
export function isFromProxy(req: Request): boolean {
  const isTrusted: (address: string | undefined, hop: number) => boolean = req.app.get('trust proxy fn')
  return isTrusted(req.socket.remoteAddress, 0)
}
