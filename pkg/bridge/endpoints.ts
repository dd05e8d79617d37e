import { isIP, isIPv6 } from 'node:net'

/** An instance as a registry describes it. Its values are not validated. */
export interface Instance {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly weight?: number
}

/** A validated instance. A proxy gets only these values from a registry, so a registry cannot inject configuration. */
export interface Endpoint {
  /** A canonical IP address. */
  readonly host: string
  /** From 1 to 65535. */
  readonly port: number
  /** At least 0. An endpoint with weight 0 gets no new requests. */
  readonly weight: number
}

/** `10.0.0.1:8080` or `[::1]:8080`. Two instances with the same key are one endpoint. */
export const toKey = ({ host, port }: Endpoint) => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/** Returns the canonical form of an IP address, and undefined for another text and for the wildcard addresses. */
export function canonicalAddress(text: string): string | undefined {
  // `fe80::1%eth0` has a zone, which is valid on one machine only.
  if (isIP(text) === 0 || text.includes('%')) return undefined
  if (!isIPv6(text)) return text === '0.0.0.0' ? undefined : text
  const address = new URL(`http://[${text}]`).hostname.slice(1, -1)
  return address === '::' ? undefined : address
}

/**
 * Returns the valid instances, each address once, and descriptions of the invalid instances. Both lists have a stable
 * order, because a registry may return the same instances in another order.
 */
export function readEndpoints(instances: readonly Instance[]): { endpoints: Endpoint[]; invalid: string[] } {
  const endpoints = new Map<string, Endpoint>()
  const invalid: string[] = []
  for (const { id, host, port, weight = 1 } of instances) {
    const address = canonicalAddress(host)
    if (address === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
      invalid.push(describe(id, host, port))
      continue
    }
    const endpoint = { host: address, port, weight: Number.isFinite(weight) && weight >= 0 ? weight : 1 }
    const key = toKey(endpoint)
    if (!endpoints.has(key)) endpoints.set(key, endpoint)
  }
  return { endpoints: sort(endpoints), invalid: invalid.sort() }
}

/** Returns the endpoints of both lists. An endpoint that is in both has the weight of `preferred`. */
export const union = (preferred: readonly Endpoint[], others: readonly Endpoint[]) =>
  sort(new Map([...others, ...preferred].map((endpoint) => [toKey(endpoint), endpoint])))

/** Returns the keys of the endpoints that are in `list` and not in `others`. */
export function subtract(list: readonly Endpoint[], others: readonly Endpoint[]): string[] {
  const known = new Set(others.map(toKey))
  return list.map(toKey).filter((key) => !known.has(key))
}

export const isSame = (a: readonly Endpoint[], b: readonly Endpoint[]) =>
  a.length === b.length && a.every((endpoint, i) => isSameEndpoint(endpoint, b[i]))

const isSameEndpoint = (a: Endpoint, b: Endpoint | undefined) =>
  a.host === b?.host && a.port === b.port && a.weight === b.weight

/**
 * Returns the weights as integers from 0 to 100, in the order of the endpoints. HAProxy accepts at most 256, nginx and
 * Envoy accept integers only. Equal weights become 1.
 */
export function integerWeights(endpoints: readonly Endpoint[]): number[] {
  const weights = endpoints.map(({ weight }) => weight)
  const positive = weights.filter((weight) => weight > 0)
  // `Math.max(...positive)` would exceed the limit of arguments for a long list.
  const largest = positive.reduce((a, b) => Math.max(a, b), 0)
  const isEqual = positive.every((weight) => weight === largest)
  return weights.map((weight) => {
    if (weight === 0) return 0
    return isEqual ? 1 : Math.max(1, Math.round((weight / largest) * 100))
  })
}

const sort = (endpoints: ReadonlyMap<string, Endpoint>) =>
  [...endpoints].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint)

/** Describes an instance for the log. The values of a registry may be long, and may contain any character. */
const describe = (id: string, host: string, port: number) => JSON.stringify(`${id} ${host} ${port}`.slice(0, 100))
