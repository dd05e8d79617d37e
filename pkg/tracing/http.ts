import type { Request, Response } from 'express'
import { AttributeSet, createEpochClock, type SpanSink } from './span.ts'
import type { TracedContext } from './tracer.ts'

/** Methods that HTTP defines. Any other method is `_OTHER`, so the number of names is limited. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'])

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span */
export function createServerSpans({ sinks }: { readonly sinks: readonly SpanSink[] }) {
  const toEpoch = createEpochClock()
  /** Templates such as `/things/{id}`, by Express's route of `/things/:id`. */
  const templates = new Map<unknown, string>()

  function finish(req: Request, res: Response, { requestId, trace }: TracedContext, startedAt: number): void {
    const { statusCode, headersSent } = res
    const method = METHODS.has(req.method) ? req.method : '_OTHER'
    const template = templates.get(req.route)
    const isError = headersSent && statusCode >= 500
    const set = new AttributeSet({
      'http.request.method': method,
      'url.scheme': req.protocol,
      // The query string may contain a secret.
      'url.path': req.originalUrl.split('?', 1)[0] ?? '',
      'network.protocol.version': req.httpVersion,
      'http.request.id': requestId,
    })
    if (template !== undefined) set.set('http.route', req.route.path)
    if (req.ip !== undefined) set.set('client.address', req.ip)
    if (headersSent) set.set('http.response.status_code', statusCode)
    if (isError) set.set('error.type', String(statusCode))
    const verb = method === '_OTHER' ? 'HTTP' : method
    const span = {
      traceId: trace.traceId,
      spanId: trace.spanId,
      parentId: trace.parentId,
      requestId,
      name: template === undefined ? verb : `${verb} ${template}`,
      kind: 'server' as const,
      startedAt: toEpoch(startedAt),
      durationMs: performance.now() - startedAt,
      attributes: set.values,
      error: isError ? String(statusCode) : undefined,
    }
    for (const sink of sinks) if (sink.wants(trace)) sink.onEnd(span)
  }

  return {
    /** Records the request until its response has been sent or its connection has broken. */
    begin(req: Request, res: Response, context: TracedContext): void {
      if (!sinks.some((sink) => sink.wants(context.trace))) return
      const startedAt = performance.now()
      res.on('close', () => finish(req, res, context, startedAt))
    },
    /** Prepares the span name of a route. The span of an unknown path has the method as its name. */
    bind(route: { readonly path: string }): void {
      templates.set(route, route.path.replaceAll(/:(\w+)/g, '{$1}'))
    },
  }
}
