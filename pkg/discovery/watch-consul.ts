import { responseError } from './registry.ts'
import type { RegistryClient } from './registry-client.ts'
import { asNumber, asObject, asText, type Instance, parseJson, poll, type Watch } from './watch.ts'

export interface WatchConsulOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** ACL token. @default none */
  readonly password?: string | undefined
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
  const { client, password, waitMs = 10_000, pauseMs = 200, timeoutMs = 3_000 } = options
  return {
    async watch(...args) {
      const [service, , , signal] = args
      let index = 0

      async function read(): Promise<readonly Instance[]> {
        const previous = index
        // A failed request or a restarted registry makes the index useless: the next request returns at once.
        index = 0
        const response = await client.request({
          method: 'GET',
          path: `/v1/health/service/${encodeURIComponent(service)}`,
          query: { passing: true, ...(previous > 0 && { index: previous, wait: `${waitMs}ms` }) },
          headers: password === undefined ? {} : { 'x-consul-token': password },
          // Consul adds up to a sixteenth to the wait.
          timeoutMs: previous > 0 ? waitMs + waitMs / 16 + timeoutMs : timeoutMs,
          signal,
        })
        if (response.status !== 200) throw responseError('Consul: list instances', response, [password])
        const entries = parseJson(response.body)
        if (!Array.isArray(entries)) throw new Error('Consul: list instances: the response is no list')
        const next = Number(response.headers.get('x-consul-index') ?? Number.NaN)
        if (!Number.isSafeInteger(next) || next < 0)
          throw new Error('Consul: list instances: the response has no X-Consul-Index')
        if (next < previous) throw new Error('Consul: the index went backwards, so the registry has lost its data')
        // An index of 0 would make the next request return at once, and the loop would never wait.
        index = Math.max(next, 1)
        return entries.filter(isPassing).map(toInstance)
      }

      await poll(read, pauseMs, ...args)
    },
  }
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
