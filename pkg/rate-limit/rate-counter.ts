/** What a client has used of its minute, this request included, and when the next one begins. */
export interface Count {
  readonly used: number
  readonly resetMs: number
}

/** Counts one request of a client. */
export type Counter = (client: string) => Count | Promise<Count>

export const WINDOW_MS = 60_000

export interface LocalCounterOptions {
  /** More clients than this in one minute, and the minute ends early: memory is bounded, and nobody is refused for the number of others. @default 50_000 */
  readonly maxClients?: number
  readonly now?: () => number
}

/** Counts in this process. One minute for all clients, which begins with the first request. */
export function localCounter({ maxClients = 50_000, now = Date.now }: LocalCounterOptions = {}): Counter {
  let clients = new Map<string, number>()
  let endsAt = 0
  return function count(client) {
    const time = now()
    const before = clients.get(client) ?? 0
    const isOver = time >= endsAt || (before === 0 && clients.size >= maxClients)
    if (isOver) {
      clients = new Map()
      endsAt = time + WINDOW_MS
    }
    const used = isOver ? 1 : before + 1
    clients.set(client, used)
    return { used, resetMs: endsAt - time }
  }
}

export interface SharedCounterOptions {
  /** Counts for all processes. Rejects when it cannot, and soon: each request waits for it. */
  readonly shared: (client: string) => Promise<Count>
  /** Counts while that fails. */
  readonly local: Counter
  /** How long after a failure nobody asks again, in milliseconds, and then one request does. @default 1_000 */
  readonly backOffMs?: number
  readonly now?: () => number
  readonly onEvent?: (event: CounterEvent) => void
}

export type CounterEvent =
  | { readonly type: 'counting alone'; readonly error: unknown }
  | { readonly type: 'counting together' }

/** Counts together with other processes as long as that works, and never rejects for it. */
export function sharedCounter(options: SharedCounterOptions): Counter {
  const { shared, local, backOffMs = 1_000, now = Date.now, onEvent } = options
  let isAlone = false
  let retryAt = 0
  return async function count(client) {
    if (isAlone && now() < retryAt) return local(client)
    // Those that come while this one asks do not wait with it.
    retryAt = now() + backOffMs
    try {
      const counted = await shared(client)
      if (isAlone) onEvent?.({ type: 'counting together' })
      isAlone = false
      return counted
    } catch (error) {
      if (!isAlone) onEvent?.({ type: 'counting alone', error })
      isAlone = true
      retryAt = now() + backOffMs
      return local(client)
    }
  }
}
