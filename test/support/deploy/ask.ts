import { randomUUID } from 'node:crypto'
import type { Instance } from '../fleet.ts'
import { send } from '../send.ts'
import { until } from '../services.ts'
import type { SteadyLoad, Target } from '../steady-load.ts'

export interface PingOptions {
  /** The address of the client: any address of 127.0.0.0/8. */
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface PingResponse {
  /** The request id, which the log of the instance names. */
  readonly id: string
  readonly status: number
  readonly body: string
  readonly cookie: string | undefined
}

/** Sends GET /ping on a new connection. @throws when no response arrives */
export async function ask({ host, port }: Target, { from, headers }: PingOptions = {}): Promise<PingResponse> {
  const id = randomUUID()
  const own = { ...headers, 'x-request-id': id }
  const response = await send({ host, port, path: '/ping', agent: false, headers: own, localAddress: from })
  if (response.error) throw response.error
  const { status, body } = response
  return { id, status, body, cookie: response.headers['set-cookie']?.[0]?.split(';', 1)[0] }
}

/** Sends several requests in sequence. @returns the request ids. @throws when a response is not 200 */
export async function askTimes(target: Target, times: number, options?: PingOptions): Promise<string[]> {
  const ids: string[] = []
  for (let time = 0; time < times; time++) {
    const { id, status, body } = await ask(target, options)
    if (status !== 200) throw new Error(`${status}: ${body}`)
    ids.push(id)
  }
  return ids
}

/** Returns the log lines of the requests that an instance has served. */
export const listRequests = (instance: Instance) => instance.lines().filter(({ message }) => message === 'request')

/** Counts the requests that each instance has served. Waits for their log lines. */
export async function countShares(fleet: readonly Instance[], ids: readonly string[]): Promise<number[]> {
  const wanted = new Set<unknown>(ids)
  const shares = () =>
    fleet.map((instance) => listRequests(instance).filter((line) => wanted.has(line['http.request.id'])).length)
  await until(() => shares().reduce((sum, share) => sum + share, 0) >= ids.length)
  return shares()
}

/** Finds the instances that have served a client with this address. */
export const findInstances = (fleet: readonly Instance[], client: string): Instance[] =>
  fleet.filter((instance) => listRequests(instance).some((line) => line['client.address'] === client))

/** Returns a condition for `until`: in two successive calls, every client waits for an instance that hangs. */
export function allWaiting(load: SteadyLoad): () => boolean {
  let sent = -1
  return () => {
    const still = load.sent() === sent && load.inFlight() === load.clients
    sent = load.sent()
    return still
  }
}
