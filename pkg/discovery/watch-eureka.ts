import { createEurekaSession, type EurekaSessionOptions } from './eureka-session.ts'
import { asNumber, asObject, asText, parseObject } from './json.ts'
import { createWatch, type Instance, type Watch } from './watch.ts'

export interface WatchEurekaOptions extends EurekaSessionOptions {
  /** Prefix of the API, such as `/eureka`. */
  readonly path: string
  /** Pause between two requests, in milliseconds. @default 1_000 */
  readonly pollMs?: number
}

/** Watches the instances of an application with status UP: https://github.com/Netflix/eureka/wiki/Eureka-REST-operations */
export function watchEureka({ path, pollMs = 1_000, ...login }: WatchEurekaOptions): Watch {
  const { request, createError } = createEurekaSession(login)
  return createWatch(pollMs, (service, signal) => async () => {
    // Eureka keeps the names of applications in upper case.
    const app = encodeURIComponent(service.toUpperCase())
    const response = await request({ method: 'GET', path: `${path}/apps/${app}`, signal })
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
