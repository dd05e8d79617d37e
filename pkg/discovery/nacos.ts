import { asNumber, asObject, asText, parseObject } from './json.ts'
import {
  type Instance,
  RENEW_INTERVAL_MS,
  type Registry,
  RegistryError,
  responseError,
  type ServiceInstance,
} from './registry.ts'
import type { RegistryClient, RegistryRequest } from './registry-client.ts'
import { watchInLoop } from './watch.ts'

export interface NacosOptions {
  readonly client: Pick<RegistryClient, 'request'>
  readonly namespace: string
  readonly group: string
  /** User and password. @default requests without a token */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Pause between two lists, in milliseconds. @default 1_000 */
  readonly pollMs?: number | undefined
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
}

const PATH = '/nacos/v3/client/ns/instance'

const SUCCESS = 0
/** The code for a heartbeat of an instance that the server does not have. */
const INSTANCE_NOT_FOUND = 21003

/** Share of the lifetime of a token after which the client requests a new token. */
const RENEW_AT = 0.8

/**
 * Calls Nacos 3. Nacos marks an instance without heartbeats as unhealthy after 15 seconds, and removes it after 30
 * seconds. https://nacos.io/en/docs/v3.2/manual/user/open-api/
 */
export function createNacos(options: NacosOptions): Registry {
  const { client, namespace, group, username, password, pollMs = 1_000, now = () => performance.now() } = options
  let token: string | undefined
  let renewTokenAt = 0

  async function logIn(signal: AbortSignal): Promise<string | undefined> {
    if (username === undefined || password === undefined) return undefined
    const response = await client.request({
      method: 'POST',
      path: '/nacos/v3/auth/user/login',
      body: new URLSearchParams({ username, password }),
      signal,
    })
    if (response.status !== 200) {
      // Nacos 3.1 responds with 500 to a wrong password.
      const hint = response.status === 500 ? ' (is the password wrong?)' : ''
      throw responseError(`Nacos: log in${hint}`, response, [password])
    }
    const { accessToken, tokenTtl } = parseObject(response.body)
    // The token becomes a header. fetch quotes an invalid header in its error, and the log would contain the token.
    if (typeof accessToken !== 'string' || !/^[\x21-\x7e]+$/.test(accessToken)) {
      throw new RegistryError('Nacos: log in: the response has no token', response.status)
    }
    renewTokenAt = now() + RENEW_AT * 1e3 * (typeof tokenTtl === 'number' && tokenTtl > 0 ? tokenTtl : 60)
    return accessToken
  }

  /**
   * Sends a request and returns the code and the data of its result. `call` names the request in errors.
   *
   * @throws RegistryError for a code that is not in `codes`, and for a response that is not a result of Nacos
   */
  async function send(
    call: string,
    request: RegistryRequest & { readonly signal: AbortSignal },
    codes: readonly unknown[] = [SUCCESS],
  ) {
    if (token === undefined || now() >= renewTokenAt) token = await logIn(request.signal)
    const headers = token === undefined ? {} : { accessToken: token }
    const response = await client.request({ ...request, headers })
    const { code, data } = parseResult(response.body)
    const isRefused = response.status === 401 || response.status === 403
    if (!isRefused && codes.includes(code)) return { code, data }
    const error = responseError(`Nacos: ${call}`, response, [password, token])
    // The next request logs in again: the server may have restarted with another key.
    if (isRefused) token = undefined
    throw error
  }

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
      await send('register', { method: 'POST', path: PATH, body: new URLSearchParams(fields), signal })
    },

    async renew(instance, signal) {
      const body = new URLSearchParams({ ...identify(instance), heartBeat: 'true' })
      const request = { method: 'POST', path: PATH, body, signal } as const
      const { code } = await send('heartbeat', request, [SUCCESS, INSTANCE_NOT_FOUND])
      return code === SUCCESS ? 'renewed' : 'unknown'
    },

    async deregister(instance, signal) {
      await send('deregister', { method: 'DELETE', path: PATH, query: identify(instance), signal })
    },

    /** Watches the healthy and enabled instances. */
    watch(service) {
      const query = { namespaceId: namespace, groupName: group, serviceName: service, healthyOnly: true }
      return watchInLoop(pollMs, async (signal) => {
        const { data } = await send('list instances', { method: 'GET', path: `${PATH}/list`, query, signal })
        if (!Array.isArray(data)) throw new Error('Nacos: list instances: the response has no list')
        return data.filter(isUsable).map(toInstance)
      })
    },
  }
}

/** Returns the code and the data of a result of Nacos. Both are undefined in a response that is not from its API. */
function parseResult(body: string): { readonly code?: unknown; readonly data?: unknown } {
  try {
    return parseObject(body)
  } catch {
    return {}
  }
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
