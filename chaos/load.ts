import { Agent } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { openLoop, percentile } from '../test/support/open-loop.ts'
import { send } from '../test/support/send.ts'

/** Requests per second, over all operations. */
const RATE = 40
const TIMEOUT_MS = 5_000
const RETRY_MS = 100

interface Operation {
  /** Hypotheses use the path without its query. */
  readonly path: string
  /** @default GET */
  readonly method?: 'POST'
  /** `title` is different in each request. */
  readonly body?: (title: string) => unknown
}

/** The operations of the load, in turn. */
const OPERATIONS: readonly Operation[] = [
  { path: '/ping' },
  { path: '/v1/notes?limit=1' },
  { path: '/v1/payments/pay_1' },
  { path: '/v1/payments/pay_final' },
  { path: '/v1/notes', method: 'POST', body: (title) => ({ title, text: 'chaos' }) },
]

export interface Request {
  readonly path: string
  readonly method: 'GET' | 'POST'
  /** Time of the intended start, in milliseconds of `performance.now()`. */
  readonly at: number
  /** 0 for no response in time. Undefined while the request is in flight. */
  status?: number
  latencyMs?: number
}

export interface Window {
  /** Only requests with these. @default all */
  readonly path?: string
  readonly method?: string
  /** In milliseconds of `performance.now()`. */
  readonly since: number
  /** @default now */
  readonly until?: number
}

export interface Load {
  readonly requests: readonly Request[]
  /** The titles of the notes that the service has confirmed. */
  readonly acknowledged: ReadonlySet<string>
  /** The titles that the service has refused as duplicates: it had executed the write, and has lost its key. */
  readonly refused: ReadonlySet<string>
  /** Returns the requests whose intended start is in the window. */
  select(window: Window): readonly Request[]
  stop(): Promise<void>
}

/** Every request of the load is valid, so a missing response and a status of 400 or above are errors. */
export const isError = ({ status }: Request) => status === 0 || (status ?? 200) >= 400

/** Returns the share of failed requests among those that have ended, from 0 to 1. NaN when no request has ended. */
export function errorShare(requests: readonly Request[]): number {
  const ended = requests.filter(({ status }) => status !== undefined)
  return ended.filter(isError).length / ended.length
}

/** Returns the 99th percentile of the latencies. A request in flight counts with its age. NaN without requests. */
export const p99Ms = (requests: readonly Request[], now = performance.now()) =>
  percentile(
    requests.map(({ at, latencyMs }) => latencyMs ?? now - at),
    99,
  )

/**
 * Sends a steady load in an open loop until `stop`. Failed writes repeat with their idempotency keys until they succeed,
 * one at a time, so that the repetitions do not add to an overload. They are not in `requests`.
 */
export function startLoad({ host, port }: { readonly host: string; readonly port: number }): Load {
  const requests: Request[] = []
  const acknowledged = new Set<string>()
  const refused = new Set<string>()
  const failed: (() => Promise<boolean>)[] = []
  const agent = new Agent({ keepAlive: true, maxSockets: 1_000 })
  const end = new AbortController()
  const startedAt = performance.now()

  async function ask(index: number, at: number): Promise<void> {
    const { path, method = 'GET', body } = OPERATIONS[index % OPERATIONS.length] ?? { path: '/ping' }
    const entry: Request = { path: path.split('?')[0] ?? path, method, at }
    requests.push(entry)
    const title = `${Math.round(startedAt)}-${index}`
    const attempt = () =>
      send({
        host,
        port,
        path,
        method,
        agent,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body && {
          headers: { 'content-type': 'application/json', 'idempotency-key': title },
          body: JSON.stringify(body(title)),
        }),
      })

    /** Resolves with false when the write has to repeat. */
    async function write(sent: ReturnType<typeof attempt>): Promise<boolean> {
      const { status } = await sent
      if (status === 201) acknowledged.add(title)
      if (status === 409) refused.add(title)
      return status === 201 || status === 409
    }

    const sent = attempt()
    entry.status = (await sent).status
    entry.latencyMs = performance.now() - entry.at
    if (body && !(await write(sent))) failed.push(() => write(attempt()))
  }

  async function repeatFailed(): Promise<void> {
    while (!end.signal.aborted) {
      const next = failed.shift()
      if (next && !(await next())) failed.push(next)
      await setTimeout(RETRY_MS, undefined, { signal: end.signal }).catch(() => undefined)
    }
  }

  const repeating = repeatFailed()
  const running = openLoop({ ratePerSecond: RATE, durationMs: 86_400_000, signal: end.signal, send: ask })
  return {
    requests,
    acknowledged,
    refused,
    select: ({ since, until = Number.POSITIVE_INFINITY, path, method }) =>
      requests.filter(
        (each) =>
          each.at >= since &&
          each.at < until &&
          (path === undefined || each.path === path) &&
          (method === undefined || each.method === method),
      ),
    async stop() {
      end.abort()
      await running
      await repeating
      agent.destroy()
    },
  }
}
