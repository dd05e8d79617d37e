import type { RegistryClient } from './registry-client.ts'
import { asNumber, asObject, asText, type Instance, parseJson, poll, type Watch } from './watch.ts'

export interface WatchEurekaOptions {
  readonly client: RegistryClient
  /** Prefix of the API, such as `/eureka`. */
  readonly path: string
  readonly username?: string
  readonly password?: string
  /** Pause between two requests, in milliseconds. @default 1_000 */
  readonly pollMs?: number
}

/** Watches the instances of an application with status UP: https://github.com/Netflix/eureka/wiki/Eureka-REST-operations */
export function watchEureka({ client, path, username, password, pollMs = 1_000 }: WatchEurekaOptions): Watch {
  const credentials = Buffer.from(`${username}:${password ?? ''}`).toString('base64')
  const headers = {
    // Eureka responds with XML otherwise.
    accept: 'application/json',
    ...(username !== undefined && { authorization: `Basic ${credentials}` }),
  }
  return {
    async watch(...args) {
      const [service, , , signal] = args

      async function read(): Promise<readonly Instance[]> {
        // Eureka keeps the names of applications in upper case.
        const app = encodeURIComponent(service.toUpperCase())
        const { status, body } = await client.request({ method: 'GET', path: `${path}/apps/${app}`, headers, signal })
        // Eureka forgets an application with its last instance.
        if (status === 404) return []
        if (status !== 200) throw new Error(`Eureka responded with status ${status}`)
        const { instance } = asObject(asObject(parseJson(body))['application'])
        if (typeof instance !== 'object' || instance === null) {
          throw new Error('Eureka responded with no list of instances')
        }
        // An older Eureka writes a single instance without a list.
        return (Array.isArray(instance) ? instance : [instance]).filter(isUp).map(toInstance)
      }

      await poll(read, pollMs, ...args)
    },
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
