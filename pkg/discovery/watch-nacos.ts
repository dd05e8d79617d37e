import { asNumber, asObject, asText } from './json.ts'
import { createNacosSession, type NacosSessionOptions } from './nacos-session.ts'
import { createWatch, type Instance, type Watch } from './watch.ts'

export interface WatchNacosOptions extends NacosSessionOptions {
  readonly namespace: string
  readonly group: string
  /** Pause between two requests, in milliseconds. @default 1_000 */
  readonly pollMs?: number
}

/** Watches the healthy and enabled instances of a service: https://nacos.io/en/docs/v3.2/manual/user/open-api/ */
export function watchNacos({ namespace, group, pollMs = 1_000, ...login }: WatchNacosOptions): Watch {
  const session = createNacosSession(login)
  return createWatch(pollMs, (service, signal) => async () => {
    const { code, data, error } = await session.request('list instances', {
      method: 'GET',
      path: '/nacos/v3/client/ns/instance/list',
      query: { namespaceId: namespace, groupName: group, serviceName: service, healthyOnly: true },
      signal,
    })
    if (code !== 0 || !Array.isArray(data)) throw error
    return data.filter(isUsable).map(toInstance)
  })
}

function isUsable(instance: unknown): boolean {
  const { healthy, enabled } = asObject(instance)
  return healthy === true && enabled === true
}

function toInstance(instance: unknown): Instance {
  const { ip, port, weight } = asObject(instance)
  return {
    id: `${asText(ip)}:${asNumber(port)}`,
    host: asText(ip),
    port: asNumber(port),
    ...(Number.isFinite(weight) && { weight: asNumber(weight) }),
  }
}
