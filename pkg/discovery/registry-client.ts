import { readText } from '../read-text.ts'
import { TimeoutError } from '../with-timeout.ts'

export interface RegistryRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Path below the origin, with its segments encoded. */
  readonly path: string
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** URLSearchParams are sent as a form, and any other object as JSON. */
  readonly body?: object
  /** Longest exchange including the body of the response, in milliseconds. @default the limit of the client */
  readonly timeoutMs?: number
  /** Ends the exchange when it aborts. */
  readonly signal?: AbortSignal
}

export interface RegistryResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

export interface RegistryClientOptions {
  /** Scheme, host and port. */
  readonly origin: string
  /** @default 3_000 */
  readonly timeoutMs?: number
  /** Largest body of a response. @default 16 MiB */
  readonly maxBytes?: number
}

export type RegistryClient = ReturnType<typeof createRegistryClient>

/** A small HTTP client whose exchanges are bounded in time and size. */
export function createRegistryClient({
  origin,
  timeoutMs: limitMs = 3_000,
  maxBytes = 16 * 1024 * 1024,
}: RegistryClientOptions) {
  return {
    /**
     * Sends a request and returns the response, whatever its status. A redirect is an error, because it could send the
     * password to another host.
     * @throws TimeoutError, an error of the network, or the reason of `signal`
     */
    async request(request: RegistryRequest): Promise<RegistryResponse> {
      const { method, path, query, timeoutMs = limitMs, signal } = request
      signal?.throwIfAborted()
      const url = new URL(origin + path)
      for (const [name, value] of Object.entries(query ?? {})) {
        if (value !== undefined) url.searchParams.set(name, String(value))
      }
      const end = new AbortController()
      const timer = setTimeout(() => end.abort(new TimeoutError(`no response within ${timeoutMs} ms`)), timeoutMs)
      const abort = () => end.abort(signal?.reason)
      signal?.addEventListener('abort', abort)
      try {
        const { status, headers, body } = await fetch(url.href, {
          method,
          ...encodeBody(request),
          redirect: 'error',
          signal: end.signal,
        })
        return { status, headers, body: await readText(body, maxBytes) }
      } catch (error) {
        throw describeFailure(error)
      } finally {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
    },
  }
}

/** Replaces `fetch failed` with the message and the code of its cause. */
function describeFailure(error: unknown): unknown {
  if (!(Error.isError(error) && error.message === 'fetch failed' && Error.isError(error.cause))) return error
  const { cause } = error
  // Node tries all addresses of a name, and reports their failures together in an error without a message.
  const [first = cause] = (cause as Partial<AggregateError>).errors ?? []
  const { message, code } = first as NodeJS.ErrnoException
  return Object.assign(new Error(`no response: ${message}`, { cause }), code !== undefined && { code })
}

function encodeBody({ body, headers }: RegistryRequest): RequestInit {
  if (body === undefined) return { headers: { ...headers } }
  if (body instanceof URLSearchParams) return { headers: { ...headers }, body }
  return { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
