import type { Tracer } from './tracer.ts'

export interface TracedFetchOptions {
  /** Returns the headers that continue the current trace. */
  readonly outgoingHeaders: () => object
  /** @default no spans */
  readonly tracer?: Pick<Tracer, 'trace'> | undefined
}

/** The parameters of `fetch` that continue the trace. */
type TracedFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/**
 * Creates a `fetch` that continues the current trace in the called service. Its span ends when the headers of the
 * response have arrived. https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
export function createFetch({ outgoingHeaders, tracer }: TracedFetchOptions): TracedFetch {
  function send(url: string | URL, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    for (const [name, value] of Object.entries(outgoingHeaders())) headers.set(name, value)
    return fetch(url, { ...init, headers })
  }

  return async function tracedFetch(url, init = {}) {
    if (tracer === undefined) return send(url, init)
    const method = (init.method ?? 'GET').toUpperCase()
    const attributes = describeCall(method, new URL(url))
    return tracer.trace(method, { kind: 'client', attributes }, async (span) => {
      const response = await send(url, init)
      span.setAttribute('http.response.status_code', response.status)
      if (response.status >= 400) span.fail(String(response.status))
      return response
    })
  }
}

/** Returns the attributes of an outgoing call, without the credentials and the query of its URL. */
function describeCall(method: string, { origin, pathname, hostname, port, protocol }: URL) {
  return {
    'http.request.method': method,
    'url.full': origin + pathname,
    'server.address': hostname,
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
  }
}
