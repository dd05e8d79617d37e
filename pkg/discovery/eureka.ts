import { asNumber, asObject, asText, parseObject } from './json.ts'
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

export interface EurekaOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** Prefix of the API, such as `/eureka`. */
  readonly path: string
  /** User and password of basic authentication. @default none */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Pause between two lists, in milliseconds. @default 1_000 */
  readonly pollMs?: number | undefined
  /** Clock in milliseconds since the epoch. @default Date.now */
  readonly now?: () => number
}

/** Calls Eureka. https://github.com/Netflix/eureka/wiki/Eureka-REST-operations */
export function createEureka(options: EurekaOptions): Registry {
  const { client, path, username, password, pollMs = 1_000, now = Date.now } = options
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const headers = {
    // Eureka responds with XML otherwise.
    accept: 'application/json',
    ...(username !== undefined && password !== undefined && { authorization: `Basic ${credentials}` }),
  }
  /** Time of the last change of the entry. The server keeps the entry with the later time. */
  let changedAt = 0

  const request = (each: RegistryRequest) => client.request({ ...each, headers })
  const createError = (call: string, response: RegistryResponse) =>
    responseError(`Eureka: ${call}`, response, [password, credentials])

  // Eureka keeps the names of applications in upper case.
  const applicationPath = (service: string) => `${path}/apps/${encodeURIComponent(service.toUpperCase())}`
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
      const query = { status: toStatus(instance), lastDirtyTimestamp: changedAt }
      const response = await request({ method: 'PUT', path: instancePath(instance), query, signal })
      // The server also responds with 404 when its entry is older than `lastDirtyTimestamp`.
      if (response.status === 404) return 'unknown'
      // The server responds without a body. Another body is from another server.
      if (response.status !== 200 || response.body !== '') throw createError('heartbeat', response)
      return 'renewed'
    },

    async deregister(instance, signal) {
      const response = await request({ method: 'DELETE', path: instancePath(instance), signal })
      if (![200, 204, 404].includes(response.status)) throw createError('deregister', response)
    },

    /** Watches the instances with status UP. */
    watch(service) {
      return watchInLoop(pollMs, async (signal) => {
        const response = await request({ method: 'GET', path: applicationPath(service), signal })
        // Eureka removes an application together with its last instance.
        if (response.status === 404) return []
        if (response.status !== 200) throw createError('list instances', response)
        const { instance } = asObject(parseObject(response.body)['application'])
        if (typeof instance !== 'object' || instance === null) {
          throw new Error('Eureka: list instances: the response has no list')
        }
        // An older Eureka writes a single instance without a list.
        return (Array.isArray(instance) ? instance : [instance]).filter(isUp).map(toInstance)
      })
    },
  }
}

/**
 * The server accepts DOWN from the instance, but keeps UP when the instance registers again with OUT_OF_SERVICE
 * (`DownOrStartingRule` and `LeaseExistsRule` of Eureka). The status override of `PUT …/status` is for operators: it
 * outlives the process, and it would make a restarted instance unavailable.
 */
const toStatus = ({ isReady }: ServiceInstance) => (isReady ? 'UP' : 'DOWN')

function describeInstance(instance: ServiceInstance, changedAt: number): object {
  const { id, service, version, host, port } = instance
  return {
    instanceId: id,
    app: service.toUpperCase(),
    hostName: host,
    ipAddr: host,
    vipAddress: service,
    secureVipAddress: service,
    status: toStatus(instance),
    port: { $: port, '@enabled': 'true' },
    securePort: { $: 443, '@enabled': 'false' },
    dataCenterInfo: { '@class': 'com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo', name: 'MyOwn' },
    leaseInfo: { renewalIntervalInSecs: RENEW_INTERVAL_MS / 1e3, durationInSecs: LEASE_S },
    metadata: { version },
    lastDirtyTimestamp: String(changedAt),
  }
}

const isUp = (instance: unknown) => asObject(instance)['status'] === 'UP'

function toInstance(instance: unknown): Instance {
  const { instanceId, ipAddr, hostName, port, securePort } = asObject(instance)
  const isSecure = asObject(port)['@enabled'] === 'false' && asObject(securePort)['@enabled'] === 'true'
  return {
    id: asText(instanceId) || asText(hostName),
    host: asText(ipAddr),
    port: asNumber(asObject(isSecure ? securePort : port)['$']),
  }
}
