import { type ConsulSessionOptions, createConsulSession } from './consul-session.ts'
import { asNumber, asObject, asText, parseJson } from './json.ts'
import { createWatch, type Instance, type Watch } from './watch.ts'

export interface WatchConsulOptions extends ConsulSessionOptions {
  /** How long Consul holds a request while the instances stay the same, in milliseconds. @default 10_000 */
  readonly waitMs?: number
  /** Shortest time between two requests, so that frequent changes do not load the registry. @default 200 */
  readonly pauseMs?: number
  /** Time for Consul to respond after the wait, in milliseconds. @default 3_000 */
  readonly timeoutMs?: number
}

/**
 * Watches the passing instances of a service with blocking queries:
 * https://developer.hashicorp.com/consul/api-docs/features/blocking
 */
export function watchConsul(options: WatchConsulOptions): Watch {
  const { waitMs = 10_000, pauseMs = 200, timeoutMs = 3_000, ...login } = options
  const { request, createError } = createConsulSession(login)
  return createWatch(pauseMs, (service, signal) => {
    let index = 0
    return async function read(): Promise<readonly Instance[]> {
      const previous = index
      // After a failed request or a restart of the registry, the index is invalid. Without an index, the next request
      // returns at once.
      index = 0
      const response = await request({
        method: 'GET',
        path: `/v1/health/service/${encodeURIComponent(service)}`,
        query: { passing: true, ...(previous > 0 && { index: previous, wait: `${waitMs}ms` }) },
        // Consul adds up to a sixteenth to the wait.
        timeoutMs: previous > 0 ? waitMs + waitMs / 16 + timeoutMs : timeoutMs,
        signal,
      })
      if (response.status !== 200) throw createError('list instances', response)
      const entries = parseJson(response.body)
      if (!Array.isArray(entries)) throw new Error('Consul: list instances: the response is not a list')
      const next = Number(response.headers.get('x-consul-index') ?? Number.NaN)
      if (!Number.isSafeInteger(next) || next < 0)
        throw new Error('Consul: list instances: the response has no X-Consul-Index')
      if (next < previous) throw new Error('Consul: the index went backwards, so the registry has lost its data')
      // An index of 0 would make the next request return at once, and the loop would never wait.
      index = Math.max(next, 1)
      return entries.filter(isPassing).map(toInstance)
    }
  })
}

function isPassing(entry: unknown): boolean {
  const { Checks } = asObject(entry)
  return !Array.isArray(Checks) || Checks.every((check) => asObject(check)['Status'] === 'passing')
}

function toInstance(entry: unknown): Instance {
  const { Service, Node } = asObject(entry)
  const { ID, Address, Port, Weights } = asObject(Service)
  const weight = asNumber(asObject(Weights)['Passing'])
  return {
    id: asText(ID),
    // An empty address means the address of the node.
    host: asText(Address) || asText(asObject(Node)['Address']),
    port: asNumber(Port),
    ...(Number.isFinite(weight) && { weight }),
  }
}
