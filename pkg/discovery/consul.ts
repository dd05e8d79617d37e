import { type ConsulSessionOptions, createConsulSession } from './consul-session.ts'
import { LEASE_S, RENEW_INTERVAL_MS, type Registry, type ServiceInstance } from './registry.ts'
import type { RegistryRequest, RegistryResponse } from './registry-client.ts'

/** Time after which the agent removes an instance that is critical, for example after a crash. */
const REMOVE_AFTER = '10m'

/**
 * Registers with a Consul agent. The check of the instance has a TTL, so a renewal sets its status and detects that the
 * agent has lost the instance. https://developer.hashicorp.com/consul/api-docs/agent/check#ttl-check-update
 */
export function createConsul(options: ConsulSessionOptions): Registry {
  const session = createConsulSession(options)
  const checkId = ({ id }: ServiceInstance) => `service:${id}`

  const put = (request: Omit<RegistryRequest, 'method'>) => session.request({ method: 'PUT', ...request })

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
      if (!isDone(response)) throw session.createError('register', response)
      // The agent keeps the status of a check that it already has.
      const updated = await updateCheck(instance, signal)
      if (!isDone(updated)) throw session.createError('update the check', updated)
    },

    async renew(instance, signal) {
      const response = await updateCheck(instance, signal)
      if (isDone(response)) return 'renewed'
      // Agents before 1.7 respond with 500.
      if (response.status === 404 || response.body.includes('does not have associated TTL')) return 'unknown'
      throw session.createError('update the check', response)
    },

    async deregister({ id }, signal) {
      const response = await put({ path: `/v1/agent/service/deregister/${encodeURIComponent(id)}`, signal })
      if (!isDone(response) && response.status !== 404) {
        throw session.createError('deregister', response)
      }
    },
  }
}

/** The agent responds to changes without a body. Another body is from another server. */
const isDone = ({ status, body }: RegistryResponse) => status === 200 && ['', 'null'].includes(body.trim())
