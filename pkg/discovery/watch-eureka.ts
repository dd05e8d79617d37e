import { responseError } from './registry.ts'
import { parseObject, type RegistryClient } from './registry-client.ts'
import { asNumber, asObject, asText, type Instance, poll, type Watch } from './watch.ts'

export interface WatchEurekaOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** Prefix of the API, such as `/eureka`. */
  readonly path: string
  /** User and password of basic authentication. @default none */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Pause between two requests, in milliseconds. @default 1_000 */
  readonly pollMs?: number
}

/** Watches the instances of an application with status UP: https://github.com/Netflix/eureka/wiki/Eureka-REST-operations */
export function watchEureka({ client, path, username, password, pollMs = 1_000 }: WatchEurekaOptions): Watch {
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const headers = {
    // Eureka responds with XML otherwise.
    accept: 'application/json',
    ...(username !== undefined && password !== undefined && { authorization: `Basic ${credentials}` }),
  }
  return {
    async watch(...args) {
      const [service, , , signal] = args

      async function read(): Promise<readonly Instance[]> {
        // Eureka keeps the names of applications in upper case.
        const app = encodeURIComponent(service.toUpperCase())
        const response = await client.request({ method: 'GET', path: `${path}/apps/${app}`, headers, signal })
        // Eureka forgets an application with its last instance.
        if (response.status === 404) return []
        if (response.status !== 200) throw responseError('Eureka: list instances', response, [password, credentials])
        const { instance } = asObject(parseObject(response.body)['application'])
        if (typeof instance !== 'object' || instance === null) {
          throw new Error('Eureka: list instances: the response has no list')
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
