import { withTimeout } from '../with-timeout.ts'

export type Phase = 'starting' | 'serving' | 'draining' | 'stopped'

/** A component with a start and a stop. */
export interface Part {
  readonly name: string
  start?(): unknown
  /** Called when draining begins, before the drain delay. From now on clients should use other instances. */
  drain?(): void
  /** Stops the part. The lifecycle stops waiting when `signal` aborts, so the part must then cut its remaining work. */
  stop?(signal: AbortSignal): unknown
  /** Longest stop of this part, in milliseconds. @default the rest of the shutdown timeout */
  readonly stopTimeoutMs?: number
}

export interface LifecycleOptions {
  /** How long the service continues to serve after a stop was requested, in milliseconds. @default 5_000 */
  readonly drainDelayMs?: number
  /** Longest stop including the delay, in milliseconds. @default 25_000 */
  readonly shutdownTimeoutMs?: number
  readonly onEvent?: (event: LifecycleEvent) => void
}

export type LifecycleEvent =
  | { readonly type: 'serving' | 'draining' | 'stopped' | 'cut' | 'deadline missed' }
  | { readonly type: 'part failed to stop'; readonly part: string; readonly error: unknown }

export interface StopOptions {
  readonly delayMs?: number
  readonly timeoutMs?: number
}

export interface Lifecycle {
  phase(): Phase
  /**
   * Starts the service: `startParts` awaits `use(part)` for each part in order. When it rejects, the parts so far are
   * stopped in reverse order, and `start` rejects with the same error. A stop during the start ends it after the current part.
   */
  start(startParts: (use: Use) => Promise<void>): Promise<void>
  /**
   * Stops the parts in reverse order. Later calls return the same promise, and one with `delayMs: 0` ends the delay.
   * Resolves with whether every part stopped in time. Never rejects.
   */
  stop(options?: StopOptions): Promise<boolean>
  /** Ends a stop in progress at once, without the delay and without waiting for requests in flight. */
  cut(): void
}

/** Starts a part and registers it for the stop. */
export type Use = (part: Part) => Promise<void>

/** Abort reason of a deadline that `cut` moved forward. */
const CUT = Symbol('cut')
/** Ends `startParts` when a stop was requested meanwhile. */
const STOPPING = Symbol('stopping')

/** Keeps the order of start and stop, and bounds the time that a stop takes. */
export function createLifecycle({
  drainDelayMs = 5_000,
  shutdownTimeoutMs = 25_000,
  onEvent = () => {},
}: LifecycleOptions): Lifecycle {
  const deadline = new AbortController()
  const delayed = Promise.withResolvers<void>()
  const started: Part[] = []
  let phase: Phase = 'starting'
  let starting: Promise<void> | undefined
  let stopping: Promise<boolean> | undefined

  const missed = new Promise<'missed'>((resolve) => {
    deadline.signal.addEventListener('abort', () => resolve('missed'), { once: true })
  })

  async function use(part: Part): Promise<void> {
    // Registered before its start: a part that fails halfway has work to clean up too.
    started.push(part)
    await part.start?.()
    if (stopping !== undefined) throw STOPPING
  }

  async function startAll(startParts: (use: Use) => Promise<void>): Promise<void> {
    try {
      await startParts(use)
    } catch (error) {
      if (error === STOPPING) return
      throw error
    }
    if (stopping !== undefined) return
    phase = 'serving'
    onEvent({ type: 'serving' })
  }

  /** Stops the parts one after the other: later parts use the earlier ones. */
  async function stopAll(): Promise<void> {
    for (const part of started.splice(0).reverse()) {
      try {
        const ended = Promise.race([part.stop?.(deadline.signal), missed])
        await (part.stopTimeoutMs === undefined ? ended : withTimeout(ended, part.stopTimeoutMs))
      } catch (error) {
        onEvent({ type: 'part failed to stop', part: part.name, error })
      }
    }
  }

  async function stopOnce({ delayMs = drainDelayMs, timeoutMs = shutdownTimeoutMs }: StopOptions): Promise<boolean> {
    const delay = phase === 'serving' ? delayMs : 0
    phase = 'draining'
    onEvent({ type: 'draining' })
    const timer = setTimeout(() => deadline.abort(), timeoutMs)
    await Promise.race([starting?.catch(() => {}), missed])
    for (const part of started) part.drain?.()
    const delayTimer = setTimeout(delayed.resolve, delay)
    await Promise.race([delayed.promise, missed])
    clearTimeout(delayTimer)
    await stopAll()
    clearTimeout(timer)
    phase = 'stopped'
    onEvent({
      type: deadline.signal.aborted ? (deadline.signal.reason === CUT ? 'cut' : 'deadline missed') : 'stopped',
    })
    return !deadline.signal.aborted
  }

  return {
    phase: () => phase,
    async start(startParts) {
      starting = startAll(startParts)
      try {
        await starting
      } catch (error) {
        if (stopping === undefined) await stopAll()
        throw error
      }
    },
    stop(options = {}) {
      if (stopping !== undefined && options.delayMs === 0) delayed.resolve()
      stopping ??= stopOnce(options)
      return stopping
    },
    cut: () => deadline.abort(CUT),
  }
}
