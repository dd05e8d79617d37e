import { createNacosToken } from './nacos-token.ts'
import type { RegistryClient } from './registry-client.ts'
import { asNumber, asObject, asText, type Instance, parseJson, poll, type Watch } from './watch.ts'

export interface WatchNacosOptions {
  readonly client: RegistryClient
  readonly namespace: string
  readonly group: string
  /** Without a user, no login takes place. */
  readonly username?: string
  readonly password?: string
  /** Pause between two requests, in milliseconds. @default 1_000 */
  readonly pollMs?: number
  readonly now?: () => number
}

/** Watches the healthy and enabled instances of a service: https://nacos.io/en/docs/v3.2/manual/user/open-api/ */
export function watchNacos(options: WatchNacosOptions): Watch {
  const { client, namespace, group, username, password = '', pollMs = 1_000, now = Date.now } = options
  const token = username === undefined ? undefined : createNacosToken({ client, username, password, now })
  return {
    async watch(...args) {
      const [service, , , signal] = args

      async function read(): Promise<readonly Instance[]> {
        const accessToken = await token?.get(signal)
        const { status, body } = await client.request({
          method: 'GET',
          path: '/nacos/v3/client/ns/instance/list',
          query: { namespaceId: namespace, groupName: group, serviceName: service, healthyOnly: true },
          headers: accessToken === undefined ? {} : { accessToken },
          signal,
        })
        if (status === 401 || status === 403) token?.drop()
        if (status !== 200) throw new Error(`Nacos responded with status ${status}`)
        const { code, data } = asObject(parseJson(body))
        if (code !== 0) throw new Error(`Nacos responded with code ${asNumber(code)}`)
        if (!Array.isArray(data)) throw new Error('Nacos responded with no list of instances')
        return data.filter(isUsable).map(toInstance)
      }

      await poll(read, pollMs, ...args)
    },
  }
}

function isUsable(instance: unknown): boolean {
  const { healthy, enabled } = asObject(instance)
  return healthy === true && enabled === true
}

function toInstance(instance: unknown): Instance {
  const { instanceId, ip, port, weight } = asObject(instance)
  return {
    id: asText(instanceId) || `${asText(ip)}:${asNumber(port)}`,
    host: asText(ip),
    port: asNumber(port),
    ...(Number.isFinite(asNumber(weight)) && { weight: asNumber(weight) }),
  }
}
