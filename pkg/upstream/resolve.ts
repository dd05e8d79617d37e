import dns from 'node:dns/promises'
import type { Origin } from './exchange.ts'

/** The source of the instances of an upstream. */
export type Source =
  /** Origins such as http://10.0.0.1:8080. */
  | { readonly type: 'static'; readonly origins: readonly Origin[] }
  /** Every address of a name. */
  | { readonly type: 'dns'; readonly host: string; readonly port: number }
  /**
   * The targets of an SRV record with the lowest priority number. Weights are ignored, because `pick` measures the
   * load.
   */
  | { readonly type: 'srv'; readonly name: string }

export interface Resolver {
  /** The system's resolver, which knows the search domains of a cluster and /etc/hosts. */
  addresses(host: string): Promise<readonly string[]>
  services(name: string): Promise<readonly { name: string; port: number; priority: number }[]>
}

export const SYSTEM_RESOLVER: Resolver = {
  addresses: async (host) => (await dns.lookup(host, { all: true })).map(({ address }) => address),
  services: (name) => dns.resolveSrv(name),
}

/** Returns the instances of a source, each once. @throws when the name cannot be resolved */
export async function resolve(source: Source, resolver: Resolver): Promise<readonly Origin[]> {
  if (source.type === 'static') return unique(source.origins)
  if (source.type === 'dns') {
    const { port } = source
    const authority = `${source.host}:${port}`
    const addresses = await resolver.addresses(source.host)
    return unique(addresses.map((host) => ({ protocol: 'http:', host, port, authority })))
  }
  // The target "." means that the service does not exist (RFC 2782). Node would connect to localhost instead, and to port
  // 80 instead of port 0.
  const records = (await resolver.services(source.name)).filter(({ name, port }) => /[^.]/.test(name) && port > 0)
  const first = Math.min(...records.map(({ priority }) => priority))
  return unique(
    records
      .filter(({ priority }) => priority === first)
      .map(({ name, port }) => ({ protocol: 'http:', host: name, port, authority: `${name}:${port}` })),
  )
}

const unique = (origins: readonly Origin[]) => [...new Map(origins.map((each) => [originKey(each), each])).values()]

export const originKey = ({ protocol, host, port }: Origin) => `${protocol}//${host}:${port}`
