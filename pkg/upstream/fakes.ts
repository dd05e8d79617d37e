import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import type { Attempt, UpstreamEvent, UpstreamOptions } from './options.ts'
import { createUpstream } from './upstream.ts'

/* Instances and clients for the tests of this folder. */

const open: { close(): unknown }[] = []
/** Stops the clients and the instances. Call it in afterEach. */
export function closeAll(): void {
  for (const each of open.splice(0)) each.close()
}

/** Registers a resource that `closeAll` closes. */
export const closeLater = (each: { close(): unknown }) => void open.push(each)

export interface Fake {
  readonly port: number
  /** The requests without the probes. */
  readonly seen: IncomingMessage[]
}

/** Starts an instance whose probes succeed. */
export async function instance(handler: RequestListener): Promise<Fake> {
  const seen: IncomingMessage[] = []
  const server = createServer((req, res) => {
    if (req.url === '/health/ready') return void res.end('{}')
    seen.push(req)
    handler(req, res)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    close() {
      server.close()
      server.closeAllConnections()
    },
  })
  return { port: (server.address() as AddressInfo).port, seen }
}

/** Returns a port that refuses connections. */
export async function refusingPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const originOf = (port: number) => ({
  protocol: 'http:' as const,
  host: '127.0.0.1',
  port,
  authority: `payments:${port}`,
})

/** Starts a client for instances on these ports. */
export async function client(ports: readonly number[], options: Partial<UpstreamOptions> = {}) {
  const events: UpstreamEvent[] = []
  const attempts: Attempt[] = []
  const upstream = createUpstream({
    name: 'payments',
    source: { type: 'static', origins: ports.map(originOf) },
    random: () => 0,
    onEvent: (event) => events.push(event),
    onAttempt: (attempt) => attempts.push(attempt),
    ...options,
  })
  // The tests call tick() themselves.
  await upstream.refresh()
  open.push({ close: () => upstream.stop() })
  return { ...upstream, events, attempts }
}

/** Sends a JSON response. */
export const json = (res: ServerResponse, body: unknown, status = 200) =>
  void res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))

export const GET = { method: 'GET', path: '/payments/1' }
export const POST = { method: 'POST', path: '/payments', body: { amount: 1 } }
