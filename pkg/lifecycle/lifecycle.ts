import { withTimeout } from '../with-timeout.ts'

export type Phase = 'starting' | 'serving' | 'draining' | 'stopped'

/** Something that is started in the order of the list and stopped in the reverse order. */
export interface Part {
  readonly name: string
  start?(): unknown
  /** Called when draining begins, before the delay of this length: from now on, send clients elsewhere. */
  drain?(delayMs: number): void
  /**
   * Ends the part. Once `signal` aborts, what is left must be cut: the lifecycle waits no longer.
   * What resolves with false has ended, but not cleanly.
   */
  stop?(signal: AbortSignal): unknown
  /** After this its stop is waited for no longer, in milliseconds. @default the rest of the shutdown timeout */
  readonly stopTimeoutMs?: number
}

export interface LifecycleOptions {
  readonly parts: readonly Part[]
  /** How long to keep serving after a stop was asked for, in milliseconds. @default 5_000 */
  readonly drainDelayMs?: number
  /** Longest stop in all, the delay included, in milliseconds. @default 25_000 */
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
  /** Starts the parts in order. When one rejects, those before it are stopped and it rejects with that error. */
  start(): Promise<void>
  /**
   * Stops once, however often it is called; another call without a delay ends the one of the first. Resolves
   * with whether everything ended cleanly and in time; never rejects.
   */
  stop(options?: StopOptions): Promise<boolean>
  /** Ends a stop that is under way at once: no delay, no waiting for what is in flight. */
  cut(): void
}

/** Why the deadline came early: somebody asked for it. */
const CUT = Symbol('cut')

/** The order of start and stop, and the time that a stop may take. */
export function createLifecycle({
  parts,
  drainDelayMs = 5_000,
  shutdownTimeoutMs = 25_000,
  onEvent = () => {},
}: LifecycleOptions): Lifecycle {
  const deadline = new AbortController()
  const delayed = Promise.withResolvers<void>()
  const started: Part[] = []
  let phase: Phase = 'starting'
  let clean = true
  let starting: Promise<void> | undefined
  let stopping: Promise<boolean> | undefined

  const missed = new Promise<'missed'>((resolve) => {
    deadline.signal.addEventListener('abort', () => resolve('missed'), { once: true })
  })

  async function startAll(): Promise<void> {
    for (const part of parts) {
      // Before its start: a part that fails half-way has something to clean up too.
      started.push(part)
      await part.start?.()
      if (stopping !== undefined) return
    }
    phase = 'serving'
    onEvent({ type: 'serving' })
  }

  /** In reverse order, one after the other, because the later parts use the earlier ones. */
  async function stopAll(): Promise<void> {
    for (const part of started.splice(0).reverse()) {
      try {
        const ended = Promise.race([part.stop?.(deadline.signal), missed])
        const result = await (part.stopTimeoutMs === undefined ? ended : withTimeout(ended, part.stopTimeoutMs))
        if (result === false) clean = false
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
    for (const part of started) part.drain?.(delay)
    const delayTimer = setTimeout(delayed.resolve, delay)
    await Promise.race([delayed.promise, missed])
    clearTimeout(delayTimer)
    await stopAll()
    clearTimeout(timer)
    phase = 'stopped'
    onEvent({
      type: deadline.signal.aborted ? (deadline.signal.reason === CUT ? 'cut' : 'deadline missed') : 'stopped',
    })
    return clean && !deadline.signal.aborted
  }

  return {
    phase: () => phase,
    async start() {
      starting = startAll()
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
