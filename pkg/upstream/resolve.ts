import dns from 'node:dns/promises'
import type { Origin } from './exchange.ts'

/** The source of the instances of an upstream. */
export type Source =
  /** Origins such as http://10.0.0.1:8080. */
  | { readonly type: 'static'; readonly origins: readonly Origin[] }
  /** Every address of a name. TLS checks the certificate for this name. */
  | { readonly type: 'dns'; readonly host: string; readonly port: number; readonly protocol: Protocol }
  /**
   * The targets of an SRV record. TLS checks the certificate for the domain of the record, because the targets come
   * from the name server, which has not proved its identity (RFC 9525 §6.1).
   */
  | { readonly type: 'srv'; readonly name: string; readonly protocol: Protocol }

type Protocol = Origin['protocol']

export interface Resolver {
  /** The system's resolver, which knows the search domains of a cluster and /etc/hosts. */
  addresses(host: string): Promise<readonly string[]>
  services(name: string): Promise<readonly ServiceRecord[]>
}

interface ServiceRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export const SYSTEM_RESOLVER: Resolver = {
  addresses: async (host) => (await dns.lookup(host, { all: true })).map(({ address }) => address),
  services: (name) => dns.resolveSrv(name),
}

/** Returns the instances of a source, each once. @throws when the name cannot be resolved */
export async function resolve(source: Source, resolver: Resolver): Promise<readonly Origin[]> {
  if (source.type === 'static') return unique(source.origins)
  if (source.type === 'dns') {
    const { port, protocol, host: serverName } = source
    const authority = `${serverName}:${port}`
    const addresses = await resolver.addresses(serverName)
    return unique(addresses.map((host) => ({ protocol, host, port, authority, serverName })))
  }
  // The target "." means that the service does not exist (RFC 2782). Node would connect to localhost instead, and to
  // port 80 instead of port 0.
  const records = (await resolver.services(source.name)).filter(({ name, port }) => /[^.]/.test(name) && port > 0)
  const { protocol } = source
  const domain = source.name.replace(/^(_[^.]+\.){2}/, '')
  const origins = records.map((record) => {
    const { name: host, port } = record
    const serverName = protocol === 'https:' ? domain : host
    return { protocol, host, port, authority: `${serverName}:${port}`, serverName, rank: computeRank(record, records) }
  })
  return unique(origins.toSorted((a, b) => b.rank - a.rank))
}

/**
 * The priority of a record. A weight of 0 beside positive weights means a very small chance of being selected (RFC
 * 2782), so such a record is between its priority and the next. Other weights are ignored: a weight estimates the
 * capacity of a target, and `pick` measures it. A target with more capacity has a lower latency under the same load, so
 * it already gets more requests, and a weight would count its capacity twice.
 */
function computeRank({ priority, weight }: ServiceRecord, records: readonly ServiceRecord[]): number {
  const hasHeavier = records.some((each) => each.priority === priority && each.weight > weight)
  return weight === 0 && hasHeavier ? priority + 0.5 : priority
}

/** Returns each instance once. The last of several entries takes precedence. */
const unique = (origins: readonly Origin[]) => [...new Map(origins.map((each) => [originKey(each), each])).values()]

/** Returns the URL of an instance. */
export const originKey = ({ protocol, host, port }: Pick<Origin, 'protocol' | 'host' | 'port'>) =>
  `${protocol}//${host.includes(':') ? `[${host}]` : host}:${port}`
