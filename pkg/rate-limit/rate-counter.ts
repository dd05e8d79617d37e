/** Requests of a client in the current window, this one included, and the time until the next window. */
export interface Count {
  readonly used: number
  readonly resetMs: number
}

/** Counts one request of a client. */
export type Counter = (client: string) => Count | Promise<Count>

export const WINDOW_MS = 60_000

const monotonicMs = () => Math.floor(performance.now())

export interface LocalCounterOptions {
  /** More clients than this in one window end it early, so memory is bounded and no client suffers. @default 50_000 */
  readonly maxClients?: number
  /** Monotonic clock in milliseconds: a step of the wall clock must not prolong a window. */
  readonly now?: () => number
}

/** Counts in this process. All clients share one window, which begins with the first request. */
export function localCounter({ maxClients = 50_000, now = monotonicMs }: LocalCounterOptions = {}): Counter {
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
  /** Counts for all instances. Each request waits for it, so it rejects soon when it cannot count. */
  readonly shared: (client: string) => Promise<Count>
  /** Counts while `shared` fails. */
  readonly local: Counter
  /** Pause after a failure before one request tries `shared` again, in milliseconds. @default 1_000 */
  readonly backOffMs?: number
  readonly now?: () => number
  readonly onEvent?: (event: CounterEvent) => void
}

export type CounterEvent =
  | { readonly type: 'counting alone'; readonly error: unknown }
  | { readonly type: 'counting together' }

/** Counts in `shared`, and in `local` while that fails. Never rejects. */
export function sharedCounter(options: SharedCounterOptions): Counter {
  const { shared, local, backOffMs = 1_000, now = monotonicMs, onEvent } = options
  let isAlone = false
  let retryAt = 0
  return async function count(client) {
    if (isAlone && now() < retryAt) return local(client)
    // While this request tries, the other requests count locally.
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
