export type RegistryKind = 'consul' | 'nacos' | 'eureka'

interface Server {
  /** Scheme, host and port of the API, such as `http://10.0.0.1:8500`. */
  readonly origin: string
  readonly host: string
  readonly port: number
}

/** The server of a registry. It has no password: the password is in a variable of its own. */
export type RegistryAddress = Server &
  (
    | { readonly kind: 'consul' }
    | { readonly kind: 'nacos'; readonly username?: string; readonly namespace: string; readonly group: string }
    /** `path` is the prefix of the API, such as `/eureka`. */
    | { readonly kind: 'eureka'; readonly username?: string; readonly path: string }
  )

const PATTERN =
  /^(?<kind>consul|nacos|eureka)(?<tls>\+https)?:\/\/(?:(?<user>[^@:/?#\s]{1,255})@)?(?<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?<port>\d{1,5}))?(?<path>(?:\/[A-Za-z0-9._~-]{1,128})*)\/?$/

const DEFAULT_PORTS = { consul: 8500, nacos: 8848, eureka: 8761 } as const

/**
 * Parses `consul://host:8500`, `nacos://user@host:8848/namespace/group` or `eureka://user@host:8761/eureka`. A scheme
 * with `+https` uses TLS. Port, user, namespace, group and the path of Eureka are optional.
 * @throws TypeError or URIError that does not quote the text, because the text may contain a password by mistake
 */
export function parseRegistry(text: string): RegistryAddress {
  const found = PATTERN.exec(text)?.groups
  if (found === undefined) throw new TypeError('invalid address of a registry')
  const { tls, user, host = '', path = '' } = found
  const kind = found['kind'] as RegistryKind
  const port = Number(found['port'] ?? DEFAULT_PORTS[kind])
  if (port < 1 || port > 65_535) throw new TypeError('invalid port of a registry')
  const server = {
    origin: `${tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    host: host.replace(/^\[|\]$/g, ''),
    port,
  }
  const login = user === undefined ? {} : { username: decodeURIComponent(user) }
  const segments = path.split('/').slice(1)
  if (kind === 'eureka') return { kind, ...server, ...login, path: path || '/eureka' }
  if (kind === 'consul') {
    if (user !== undefined || path !== '') throw new TypeError('an address of Consul has neither a user nor a path')
    return { kind, ...server }
  }
  if (segments.length > 2) throw new TypeError('the path of an address of Nacos is a namespace and a group')
  const [namespace = 'public', group = 'DEFAULT_GROUP'] = segments
  return { kind, ...server, ...login, namespace, group }
}
