import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Endpoint, integerWeights } from './endpoints.ts'
import type { Sink } from './publisher.ts'

export interface EnvoyOptions {
  /** Name of the cluster, or the `service_name` of its `eds_cluster_config`. */
  readonly service: string
  /** Largest request, in bytes. @default 1 MiB */
  readonly maxBytes?: number
  /** Called once for each reason of a refusal, such as an unknown cluster, until the next list. */
  readonly onRefused?: (error: Error) => void
}

const TYPE = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment'
const PATH = '/v3/discovery:endpoints'

interface Snapshot {
  readonly version: string
  readonly body: string
}

/** A request that is not valid. The message is the body of the response. */
class RequestError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * Responds to the endpoint discovery of Envoy with its REST protocol: Envoy polls, and gets 304 while it has the current
 * version. Without a list, and for an unknown cluster, the response is an error, so Envoy keeps its endpoints. An empty
 * list would remove them.
 * https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#rest-json-polling-subscriptions
 */
export function createEnvoySink({ service, maxBytes = 1024 * 1024, onRefused }: EnvoyOptions) {
  let snapshot: Snapshot | undefined
  /** The reported reasons. Two wrong proxies may alternate. */
  const refusals = new Set<string>()

  /** Returns undefined when Envoy has the current version. */
  async function respond(req: IncomingMessage): Promise<Snapshot | undefined> {
    if (req.url?.split('?')[0] !== PATH) throw new RequestError(404, `the path of endpoint discovery is ${PATH}`)
    if (req.method !== 'POST') throw new RequestError(405, 'the method of endpoint discovery is POST')
    const version = checkRequest(await readBody(req, maxBytes), service)
    if (snapshot === undefined) throw new RequestError(503, 'no list of instances is known yet')
    return snapshot.version === version ? undefined : snapshot
  }

  return {
    async publish(endpoints) {
      snapshot = createSnapshot(service, endpoints)
      refusals.clear()
    },
    /** Handles a request of a server. */
    async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
      try {
        const found = await respond(req)
        send(res, found === undefined ? 304 : 200, found?.body ?? '', 'application/json')
      } catch (error) {
        const { message } = error as Error
        const status = error instanceof RequestError ? error.status : 400
        // Before the first list, 503 is the usual response.
        if (status !== 503 && !refusals.has(message)) {
          refusals.add(message)
          onRefused?.(error as Error)
        }
        // The sink does not read the rest of a body that is too large, so the connection must close.
        if (status === 413) res.setHeader('connection', 'close')
        send(res, status, `${message}\n`, 'text/plain')
      }
    },
  } satisfies Sink & { handle: unknown }
}

/** The version is the hash of the content, so two bridges, or a bridge after a restart, have the same version. */
function createSnapshot(service: string, endpoints: readonly Endpoint[]): Snapshot {
  const weights = integerWeights(endpoints)
  const assignment = {
    '@type': TYPE,
    cluster_name: service,
    endpoints: [
      {
        lb_endpoints: endpoints.map(({ host, port }, i) => ({
          endpoint: { address: { socket_address: { address: host, port_value: port } } },
          // The smallest weight of Envoy is 1.
          ...(weights[i] === 0 ? { health_status: 'DRAINING' } : { load_balancing_weight: weights[i] }),
        })),
      },
    ],
  }
  const resources = JSON.stringify([assignment])
  const version = createHash('sha256').update(resources).digest('hex').slice(0, 32)
  return { version, body: `{"version_info":"${version}","type_url":"${TYPE}","resources":${resources}}` }
}

/** Returns the version that Envoy has. Envoy writes the names of fields as in the protocol, and JSON also allows camel case. */
function checkRequest(body: string, service: string): unknown {
  let request: Record<string, unknown>
  try {
    request = Object(JSON.parse(body))
  } catch {
    throw new RequestError(400, 'the body is not JSON')
  }
  const { node, type_url: type = request['typeUrl'] ?? TYPE } = request
  const { version_info: version = request['versionInfo'], resource_names: names = request['resourceNames'] } = request
  if (typeof Object(node).id !== 'string' || Object(node).id === '') {
    throw new RequestError(400, 'node.id is missing: start Envoy with --service-node, or set node.id')
  }
  if (type !== TYPE) throw new RequestError(400, `type_url is not ${TYPE}`)
  if (!Array.isArray(names) || !names.includes(service)) {
    throw new RequestError(404, `resource_names does not contain ${service}, which is the only cluster of this bridge`)
  }
  return version
}

async function readBody(req: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new RequestError(413, `the body has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function send(res: ServerResponse, status: number, body: string, type: string): void {
  if (res.destroyed) return
  res.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
}
