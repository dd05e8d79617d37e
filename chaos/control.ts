import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { errorShare, type Load, p99Ms } from './load.ts'
import type { Payments, PaymentsMode } from './payments.ts'

export interface ControlDeps {
  readonly load: () => Load
  readonly payments: Payments
  /** Returns the titles of all notes in the database. */
  readonly readTitles: () => Promise<readonly string[]>
  readonly instances: readonly { kill(): Promise<unknown>; start(): Promise<unknown> }[]
  /** Counts the lines with this message that the instances have logged since the experiment began. */
  readonly countLines: (message: string) => number
}

/**
 * Starts the HTTP API of the stage, which experiments use as `${stage}`:
 *
 *     GET  /load/errors?seconds=5&path=/v1/notes&method=GET   share of failed requests, from 0 to 1
 *     GET  /load/p99?seconds=5&path=/ping                     milliseconds
 *     GET  /payments/amplification?seconds=5                  calls of the upstream for each request
 *     POST /payments {"share":0.5,"status":500,"delayMs":0}   {} ends the fault
 *     POST /instances/2/kill, /instances/2/start              SIGKILL, and a new process
 *     GET  /writes/wrong                                      acknowledged notes that do not exist exactly once
 *     GET  /log?message=circuit%20opened                      lines since the experiment began
 *
 * A GET responds with a number, in which `seconds` is the time before the request.
 */
export async function startControl({ load, payments, readTitles, instances, countLines }: ControlDeps) {
  async function handle(method: string, { pathname, searchParams }: URL, body: () => Promise<unknown>) {
    const since = performance.now() - 1_000 * Number(searchParams.get('seconds') ?? 5)
    const path = searchParams.get('path')
    const of = searchParams.get('method')
    const select = () => load().select({ since, ...(path && { path }), ...(of && { method: of }) })
    const [, , number, action] = pathname.split('/')
    switch (`${method} ${pathname.replace(/\/\d+/, '/N')}`) {
      case 'GET /load/errors':
        return errorShare(select())
      case 'GET /load/p99':
        return p99Ms(select())
      case 'GET /payments/amplification': {
        const asked = load().select({ since, path: '/v1/payments/pay_1' }).length
        return asked === 0 ? 0 : payments.calls.filter((at) => at >= since).length / asked
      }
      case 'POST /payments':
        return payments.set((await body()) as PaymentsMode)
      case 'POST /instances/N/kill':
      case 'POST /instances/N/start': {
        const instance = instances[Number(number) - 1]
        if (instance === undefined) throw new Error(`no instance ${number}`)
        await (action === 'kill' ? instance.kill() : instance.start())
        return
      }
      case 'GET /writes/wrong': {
        const acknowledged = [...load().acknowledged]
        const counts = Map.groupBy(await readTitles(), (title) => title)
        return acknowledged.filter((title) => counts.get(title)?.length !== 1).length
      }
      case 'GET /log':
        return countLines(searchParams.get('message') ?? '')
      default:
        throw new Error(`the stage has no ${method} ${pathname}`)
    }
  }

  const server = createServer((req, res) => {
    const { method = 'GET', url = '/' } = req
    handle(method, new URL(url, 'http://stage'), () => json(req)).then(
      (value) => {
        if (value === undefined) res.writeHead(204).end()
        else res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      },
      (error: Error) => res.writeHead(400).end(error.message),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
