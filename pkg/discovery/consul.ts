import { asNumber, asObject, asText, parseJson } from './json.ts'
import {
  type Instance,
  LEASE_S,
  RENEW_INTERVAL_MS,
  type Registry,
  responseError,
  type ServiceInstance,
} from './registry.ts'
import type { RegistryClient, RegistryRequest, RegistryResponse } from './registry-client.ts'
import { watchInLoop } from './watch.ts'

export interface ConsulOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** ACL token. @default none */
  readonly password?: string | undefined
  /** Shortest time between two lists, so that frequent changes do not load the agent, in milliseconds. @default 200 */
  readonly pollMs?: number | undefined
}

/** Time after which the agent removes an instance that is critical, for example after a crash. */
const REMOVE_AFTER = '10m'

/** Time for which Consul holds a request while the list stays the same, in milliseconds. */
const WAIT_MS = 10_000
/** Time limit of a held request: Consul adds up to a sixteenth to the wait, and then needs time to respond. */
const HELD_TIMEOUT_MS = WAIT_MS + WAIT_MS / 16 + 3_000

/**
 * Calls an agent of Consul. The check of the instance has a TTL, so a renewal sets its status, and detects that the
 * agent has lost the instance. https://developer.hashicorp.com/consul/api-docs/agent/check#ttl-check-update
 */
export function createConsul({ client, password, pollMs = 200 }: ConsulOptions): Registry {
  const headers = password === undefined ? {} : { 'x-consul-token': password }
  const checkId = ({ id }: ServiceInstance) => `service:${id}`
  const put = (request: Omit<RegistryRequest, 'method'>) => client.request({ method: 'PUT', ...request, headers })
  const createError = (call: string, response: RegistryResponse) =>
    responseError(`Consul: ${call}`, response, [password])

  function updateCheck(instance: ServiceInstance, signal: AbortSignal) {
    const path = `/v1/agent/check/update/${encodeURIComponent(checkId(instance))}`
    const body = instance.isReady ? { Status: 'passing', Output: 'ready' } : { Status: 'critical', Output: 'not ready' }
    return put({ path, body, signal })
  }

  return {
    renewIntervalMs: RENEW_INTERVAL_MS,

    async register(instance, signal) {
      const { id, service, version, host, port, isReady } = instance
      const path = '/v1/agent/service/register'
      const body = {
        ID: id,
        Name: service,
        ...(host !== '' && { Address: host }),
        Port: port,
        Meta: { version },
        Check: {
          CheckID: checkId(instance),
          TTL: `${LEASE_S}s`,
          Status: isReady ? 'passing' : 'critical',
          DeregisterCriticalServiceAfter: REMOVE_AFTER,
        },
      }
      // Removes checks that another definition of this instance has left.
      const response = await put({ path, query: { 'replace-existing-checks': true }, body, signal })
      if (!isDone(response)) throw createError('register', response)
      // The agent keeps the status of a check that it already has.
      const updated = await updateCheck(instance, signal)
      if (!isDone(updated)) throw createError('update the check', updated)
    },

    async renew(instance, signal) {
      const response = await updateCheck(instance, signal)
      if (isDone(response)) return 'renewed'
      // Agents before 1.7 respond with 500.
      if (response.status === 404 || response.body.includes('does not have associated TTL')) return 'unknown'
      throw createError('update the check', response)
    },

    async deregister({ id }, signal) {
      const response = await put({ path: `/v1/agent/service/deregister/${encodeURIComponent(id)}`, signal })
      if (!isDone(response) && response.status !== 404) throw createError('deregister', response)
    },

    /**
     * Watches the passing instances with blocking queries:
     * https://developer.hashicorp.com/consul/api-docs/features/blocking
     */
    watch(service) {
      let index = 0
      return watchInLoop(pollMs, async (signal) => {
        const previous = index
        // After a failed request or a restart of the registry, the index is invalid. Without an index, the next request
        // returns at once.
        index = 0
        const response = await client.request({
          method: 'GET',
          path: `/v1/health/service/${encodeURIComponent(service)}`,
          headers,
          query: { passing: true, ...(previous > 0 && { index: previous, wait: `${WAIT_MS}ms` }) },
          ...(previous > 0 && { timeoutMs: HELD_TIMEOUT_MS }),
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
      })
    },
  }
}

/** The agent responds to changes without a body. Another body is from another server. */
const isDone = ({ status, body }: RegistryResponse) => status === 200 && ['', 'null'].includes(body.trim())

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
