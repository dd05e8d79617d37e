import { createEurekaSession, type EurekaSessionOptions } from './eureka-session.ts'
import { LEASE_S, RENEW_INTERVAL_MS, type Registry, type ServiceInstance } from './registry.ts'

export interface EurekaOptions extends EurekaSessionOptions {
  /** Prefix of the API, such as `/eureka`. */
  readonly path: string
  /** Clock in milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** Registers with Eureka. https://github.com/Netflix/eureka/wiki/Eureka-REST-operations */
export function createEureka({ path, now = Date.now, ...login }: EurekaOptions): Registry {
  const { request, createError } = createEurekaSession(login)
  /** Time of the last change of the entry. The server keeps the entry with the later time. */
  let changedAt = 0

  const applicationPath = (service: string) => `${path}/apps/${service.toUpperCase()}`
  const instancePath = ({ service, id }: ServiceInstance) => `${applicationPath(service)}/${encodeURIComponent(id)}`

  return {
    renewIntervalMs: RENEW_INTERVAL_MS,

    async register(instance, signal) {
      changedAt = Math.max(changedAt + 1, now())
      const body = { instance: describeInstance(instance, changedAt) }
      const response = await request({ method: 'POST', path: applicationPath(instance.service), body, signal })
      if (response.status !== 204) throw createError('register', response)
    },

    async renew(instance, signal) {
      const query = { status: statusOf(instance), lastDirtyTimestamp: changedAt }
      const response = await request({ method: 'PUT', path: instancePath(instance), query, signal })
      // The server also responds with 404 when its entry is older than `lastDirtyTimestamp`.
      if (response.status === 404) return 'unknown'
      // The server responds without a body. Another body is from another server.
      if (response.status !== 200 || response.body !== '') throw createError('heartbeat', response)
      return 'renewed'
    },

    async deregister(instance, signal) {
      const response = await request({ method: 'DELETE', path: instancePath(instance), signal })
      if (response.status !== 200 && response.status !== 204 && response.status !== 404) {
        throw createError('deregister', response)
      }
    },
  }
}

/**
 * The server accepts DOWN from the instance, but keeps UP when the instance registers again with OUT_OF_SERVICE
 * (`DownOrStartingRule` and `LeaseExistsRule` of Eureka). The status override of `PUT …/status` is for operators: it
 * outlives the process, and it would make a restarted instance unavailable.
 */
const statusOf = ({ isReady }: ServiceInstance) => (isReady ? 'UP' : 'DOWN')

function describeInstance(instance: ServiceInstance, changedAt: number): object {
  const { id, service, version, host, port } = instance
  return {
    instanceId: id,
    app: service.toUpperCase(),
    hostName: host,
    ipAddr: host,
    vipAddress: service,
    secureVipAddress: service,
    status: statusOf(instance),
    port: { $: port, '@enabled': 'true' },
    securePort: { $: 443, '@enabled': 'false' },
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
    leaseInfo: { renewalIntervalInSecs: RENEW_INTERVAL_MS / 1e3, durationInSecs: LEASE_S },
    metadata: { version },
    lastDirtyTimestamp: String(changedAt),
  }
}
