/** Requests of a client in the current window, including this request, and the time until the next window. */
export interface Count {
  readonly used: number
  readonly resetMs: number
}

export const WINDOW_MS = 60_000

const monotonicMs = () => Math.floor(performance.now())

/**
 * Creates a counter in this process. All clients share one window, which begins with the first request. A new client
 * above `maxClients` (default: 50,000) starts a new window, which limits memory without rejecting clients. `now` is a
 * monotonic clock in milliseconds: a step of the wall clock must not prolong a window.
 */
export function localCounter({ maxClients = 50_000, now = monotonicMs } = {}): (client: string) => Count {
  let clients = new Map<string, number>()
  let endsAt = 0
  return function count(client) {
    const time = now()
    const isNewAboveMaximum = clients.size >= maxClients && !clients.has(client)
    if (time >= endsAt || isNewAboveMaximum) {
      clients = new Map()
      endsAt = time + WINDOW_MS
    }
    const used = (clients.get(client) ?? 0) + 1
    clients.set(client, used)
    return { used, resetMs: endsAt - time }
  }
}

export interface SharedCounterOptions {
  /** Counts for all instances. Each request waits for it, so it must reject promptly when it cannot count. */
  readonly shared: (client: string) => Promise<Count>
  /** Called when this process begins to count alone, and when it counts together again. */
  readonly onEvent?: ((event: CounterEvent) => void) | undefined
  /** Monotonic clock in milliseconds. @default performance.now, rounded down */
  readonly now?: () => number
}

export type CounterEvent =
  | { readonly type: 'counting alone'; readonly error: unknown }
  | { readonly type: 'counting together' }

/** Pause after a failure before one request tries the shared counter again, in milliseconds. */
const BACK_OFF_MS = 1_000

/** Creates a counter that counts in `shared`, and in this process while `shared` fails. The counter never rejects. */
export function sharedCounter({ shared, onEvent, now = monotonicMs }: SharedCounterOptions) {
  const countAlone = localCounter({ now })
  let isAlone = false
  let failures = 0
  let retryAt = 0
  return async function count(client: string): Promise<Count> {
    if (isAlone && now() < retryAt) return countAlone(client)
    // While this request tries, the other requests count locally.
    retryAt = now() + BACK_OFF_MS
    const before = failures
    try {
      const counted = await shared(client)
      // After a failure, only a later request shows that the shared counter works again.
      if (isAlone && failures === before) {
        isAlone = false
        onEvent?.({ type: 'counting together' })
      }
      return counted
    } catch (error) {
      failures++
      if (!isAlone) onEvent?.({ type: 'counting alone', error })
      isAlone = true
      retryAt = now() + BACK_OFF_MS
      return countAlone(client)
    }
  }
}
