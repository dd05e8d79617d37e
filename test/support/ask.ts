import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { answered, type Instance } from './fleet.ts'
import { until } from './services.ts'
import type { Target } from './steady-load.ts'

export interface Question {
  /** The client's own address: any of 127.0.0.0/8. */
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  /** Its request id, which is in the instance's log. */
  readonly id: string
  readonly status: number
  readonly body: string
  readonly cookie: string | undefined
}

/** GET /ping over a connection of its own. */
export function ask({ host, port }: Target, { from, headers }: Question = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const id = randomUUID()
    const own = { ...headers, 'x-request-id': id }
    const options = { host, port, path: '/ping', agent: false, headers: own, ...(from && { localAddress: from }) }
    const req = request(options, async (res) => {
      const cookie = res.headers['set-cookie']?.[0]?.split(';', 1)[0]
      resolve({ id, status: res.statusCode ?? 0, body: await text(res), cookie })
    })
    req.once('error', reject)
    req.end()
  })
}
/** Asks one after the other and resolves with the request ids. @throws when one is not answered with 200 */
export async function askTimes(target: Target, times: number, question?: Question): Promise<string[]> {
  const ids: string[] = []
  for (let time = 0; time < times; time++) {
    const { id, status, body } = await ask(target, question)
    if (status !== 200) throw new Error(`${status}: ${body}`)
    ids.push(id)
  }
  return ids
}

/** How many of these requests each instance answered, which must be all of them in the end. */
export async function shares(fleet: readonly Instance[], ids: readonly string[]): Promise<number[]> {
  const wanted = new Set<unknown>(ids)
  const now = () => fleet.map((instance) => answered(instance).filter(({ reqId }) => wanted.has(reqId)).length)
  // The last lines may still be on their way.
  await until(() => now().reduce((sum, each) => sum + each, 0) >= ids.length)
  return now()
}
/** The instances that have answered a client of this address. */
export const instancesOf = (fleet: readonly Instance[], client: string): Instance[] =>
  fleet.filter((instance) => answered(instance).some(({ clientAddress }) => clientAddress === client))
