import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { text } from 'node:stream/consumers'
import { listen } from '../support/listen.ts'

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
  const create = (wanted?: number) => {
    const server = createServer((req, res) => {
      if (req.url === '/health/ready') return void res.end('{"status":"ok"}')
      seen.push(req)
      handler(req, res)
    })
    return listen(server, wanted)
  }
  let server = await create()
  const { port, url } = server
  return {
    port,
    origin: url,
    seen,
    respond(next) {
      handler = next
    },
    stop: () => server.stop(),
    async restart() {
      server = await create(port)
    },
  }
}
