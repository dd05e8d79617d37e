import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface FakePayments {
  readonly port: number
  readonly origin: string
  /** The requests without the probes. */
  readonly seen: readonly IncomingMessage[]
  /** Handles the requests from now on. */
  respond(handler: RequestListener): void
  stop(): Promise<void>
  /** Listens on the same port again. */
  restart(): Promise<void>
}

/** The response of the upstream to every valid request. */
export const PAYMENT = { id: 'pay_1', amount: 1250, currency: 'EUR', status: 'pending' }

/** Starts an instance of the upstream `payments` in this process. */
export async function startFakePayments(): Promise<FakePayments> {
  const seen: IncomingMessage[] = []
  let handler: RequestListener = async (req, res) => {
    await text(req)
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(PAYMENT))
  }
  const create = async (port: number) => {
    const server = createServer((req, res) => {
      if (req.url === '/health/ready') return void res.end('{"status":"ok"}')
      seen.push(req)
      handler(req, res)
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    return server
  }
  let server = await create(0)
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    seen,
    respond(next) {
      handler = next
    },
    async stop() {
      server.closeAllConnections()
      if (server.listening) await once(server.close(), 'close')
    },
    async restart() {
      server = await create(port)
    },
  }
}
