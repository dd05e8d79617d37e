import { createUpstream as create, type Upstream, type UpstreamOptions } from '../../../pkg/upstream/index.ts'

/**
 * The clients of the service, for the routes that cause faults. build-faulty.ts replaces the import of `createUpstream`
 * in internal/upstreams.ts with this module.
 */
export const clients: Upstream[] = []

export function createUpstream(options: UpstreamOptions): Upstream {
  const client = create(options)
  clients.push(client)
  return client
}
