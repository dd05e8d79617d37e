import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Cut, DatabaseProxy } from '../test/support/database-proxy.ts'
import { listen } from '../test/support/listen.ts'
import { errorShare, type Load, p99Ms } from './load.ts'
import type { Payments } from './payments.ts'
import type { StageInstance } from './stage.ts'

export interface ControlDeps {
  readonly load: () => Load
  readonly payments: Pick<Payments, 'calls'>
  /** The proxy in front of the database. */
  readonly cutter: Pick<DatabaseProxy, 'cutNext' | 'disarm'>
  /** Returns the titles of all notes in the database. */
  readonly readTitles: () => Promise<readonly string[]>
  readonly instances: readonly Pick<StageInstance, 'kill' | 'start' | 'log'>[]
  /** Counts the lines with this message that the instances have logged since the experiment began. */
  readonly countLines: (message: string) => number
}

/**
 * Starts the HTTP API of the stage, which experiments use as `${stage}`:
 *
 *     GET  /load/errors?seconds=5&path=/v1/notes&method=GET   share of failed requests, from 0 to 1
 *     GET  /load/p99?seconds=5&path=/ping                     milliseconds
 *     GET  /payments/wasted?seconds=5                         calls for pay_1 without a success, for each request
 *     POST /database/cuts {"before-commit":5,"after-write":5} resets so many connections at these moments
 *     DELETE /database/cuts                                   cancels the remaining cuts, and fails when none happened
 *     POST /instances/2/kill, /instances/2/start              SIGKILL, and a new process
 *     POST /instances/2/hold-log, /instances/2/read-log       stop reading the log, whose pipe fills, and read it again
 *     GET  /writes/wrong                                      acknowledged notes that do not exist, and refused repetitions
 *     GET  /log?message=circuit%20opened                      lines since the experiment began
 *
 * A GET responds with a number. It responds with the status 400 when no request of the load has ended in the window,
 * because a hypothesis must not hold without a load. `seconds` is the length of the window that ends with the request.
 */
export async function startControl({ load, payments, cutter, readTitles, instances, countLines }: ControlDeps) {
  let armed = 0

  async function handle(method: string, { pathname, searchParams }: URL, body: () => Promise<unknown>) {
    const since = performance.now() - 1_000 * Number(searchParams.get('seconds') ?? 5)
    const path = searchParams.get('path')
    const of = searchParams.get('method')
    const select = () => load().select({ since, ...(path && { path }), ...(of && { method: of }) })
    function known(value: number): number {
      if (Number.isNaN(value)) throw new Error('no request of the load has ended')
      return value
    }
    const [, , number, action] = pathname.split('/')
    switch (`${method} ${pathname.replace(/\/\d+/, '/N')}`) {
      case 'GET /load/errors':
        return known(errorShare(select()))
      case 'GET /load/p99':
        return known(p99Ms(select()))
      case 'GET /payments/wasted': {
        const asked = load().select({ since, path: '/v1/payments/pay_1' })
        const successes = asked.filter(({ status }) => status === 200).length
        const calls = payments.calls.filter((at) => at >= since).length
        return known(asked.length === 0 ? Number.NaN : Math.max(0, calls - successes) / asked.length)
      }
      case 'POST /database/cuts':
        for (const [cut, count] of Object.entries((await body()) as Record<Cut, number>)) {
          for (let index = 0; index < count; index++) void cutter.cutNext(cut as Cut)
          armed += count
        }
        return
      case 'DELETE /database/cuts': {
        const hadEffect = cutter.disarm() < armed
        armed = 0
        if (!hadEffect) throw new Error('no connection was cut')
        return
      }
      case 'POST /instances/N/kill':
      case 'POST /instances/N/start':
      case 'POST /instances/N/hold-log':
      case 'POST /instances/N/read-log': {
        const instance = instances[Number(number) - 1]
        if (instance === undefined) throw new Error(`no instance ${number}`)
        if (action === 'hold-log') instance.log?.hold()
        else if (action === 'read-log') instance.log?.read()
        else await (action === 'kill' ? instance.kill() : instance.start())
        return
      }
      case 'GET /writes/wrong': {
        const { acknowledged, refused } = load()
        // Read the set first: the service may acknowledge further notes during the query.
        const expected = [...acknowledged]
        const titles = new Set(await readTitles())
        return refused.size + expected.filter((title) => !titles.has(title)).length
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
  })
  return listen(server)
}
