import { createNacosSession, type NacosSessionOptions } from './nacos-session.ts'
import { RENEW_INTERVAL_MS, type Registry, type ServiceInstance } from './registry.ts'

export interface NacosOptions extends NacosSessionOptions {
  readonly namespace: string
  readonly group: string
}

const PATH = '/nacos/v3/client/ns/instance'

/** The code for a heartbeat of an instance that the server does not have. */
const INSTANCE_NOT_FOUND = 21003

/**
 * Registers with Nacos 3. Nacos marks an instance without heartbeats as unhealthy after 15 seconds, and removes it after
 * 30 seconds. https://nacos.io/en/docs/v3.2/manual/user/open-api/
 */
export function createNacos({ namespace, group, ...options }: NacosOptions): Registry {
  const session = createNacosSession(options)

  /** The fields that identify an instance. Nacos has no id of an instance. */
  const identify = ({ service, host, port }: ServiceInstance) => ({
    namespaceId: namespace,
    groupName: group,
    serviceName: service,
    ip: host,
    port: String(port),
    ephemeral: 'true',
  })

  return {
    renewIntervalMs: RENEW_INTERVAL_MS,

    async register(instance, signal) {
      const { version, isReady } = instance
      const fields = { ...identify(instance), enabled: String(isReady), metadata: JSON.stringify({ version }) }
      const body = new URLSearchParams(fields)
      const { code, error } = await session.request('register', { method: 'POST', path: PATH, body, signal })
      if (code !== 0) throw error
    },

    async renew(instance, signal) {
      const body = new URLSearchParams({ ...identify(instance), heartBeat: 'true' })
      const { code, error } = await session.request('heartbeat', { method: 'POST', path: PATH, body, signal })
      if (code === INSTANCE_NOT_FOUND) return 'unknown'
      if (code !== 0) throw error
      return 'renewed'
    },

    async deregister(instance, signal) {
      const query = identify(instance)
      const { code, error } = await session.request('deregister', { method: 'DELETE', path: PATH, query, signal })
      if (code !== 0) throw error
    },
  }
}
