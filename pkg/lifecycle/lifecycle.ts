import type { EventEmitter } from 'node:events'
import { withTimeout } from '../with-timeout.ts'

export type Phase = 'starting' | 'serving' | 'draining' | 'stopped'

/** A component with a start and a stop. */
export interface Part {
  readonly name: string
  start?(): unknown
  /**
   * Called before the drain delay, which begins when the results of all parts have settled. From now on clients should
   * use other instances.
   */
  drain?(): unknown
  /** Stops the part. The lifecycle stops waiting when `signal` aborts, so the part must then cut its remaining work. */
  stop?(signal: AbortSignal): unknown
  /** Longest stop of this part, in milliseconds. @default the rest of the shutdown timeout */
  readonly stopTimeoutMs?: number
}

type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP'

export type LifecycleEvent =
  | { readonly type: 'serving' | 'draining' | 'stopped' | 'cut' | 'deadline missed' }
  | { readonly type: 'signal'; readonly signal: Signal }
  | { readonly type: 'crash' | 'failed to start'; readonly err: unknown }
  | { readonly type: 'part failed to stop'; readonly part: string; readonly err: unknown }

export interface LifecycleOptions {
  /** Emits the signals, and `uncaughtException`, which includes unhandled rejections. */
  readonly process: EventEmitter
  /** How long the service continues to serve after SIGTERM, in milliseconds. */
  readonly drainDelayMs: number
  /** Longest stop including the delay, in milliseconds. */
  readonly shutdownTimeoutMs: number
  /** Longest stop after a crash or a failed start, in milliseconds. @default 3_000 */
  readonly crashTimeoutMs?: number
  /** Called on SIGHUP. */
  readonly reload: () => void
  readonly onEvent: (event: LifecycleEvent) => void
}

type StartParts = (use: (part: Part) => Promise<void>) => Promise<void>

/** Thrown to end `startParts` when a stop was requested during the start. */
const STOPPING = Symbol('stopping')

export type Lifecycle = ReturnType<typeof createLifecycle>

/** Keeps the order of start and stop, and bounds the time that a stop takes. */
export function createLifecycle(options: LifecycleOptions) {
  const { process, drainDelayMs, shutdownTimeoutMs, crashTimeoutMs = 3_000, reload, onEvent } = options
  const ended = Promise.withResolvers<0 | 1>()
  const deadline = new AbortController()
  const missed = new Promise<void>((resolve) => {
    deadline.signal.addEventListener('abort', () => resolve())
  })
  const parts: Part[] = []
  let phase: Phase = 'starting'
  let starting: Promise<void> | undefined
  let stopping = false
  let failed = false

  async function use(part: Part): Promise<void> {
    if (stopping) throw STOPPING
    // Register the part before its start: a part that fails halfway must be stopped too.
    parts.push(part)
    await part.start?.()
  }

  async function start(startParts: StartParts): Promise<void> {
    try {
      await startParts(use)
    } catch (err) {
      if (err === STOPPING) return
      failed = true
      if (!stopping) {
        const timer = setTimeout(() => deadline.abort('deadline missed'), crashTimeoutMs)
        await stopParts()
        clearTimeout(timer)
      }
      onEvent({ type: 'failed to start', err })
      if (!stopping) ended.resolve(1)
      return
    }
    if (stopping) return
    phase = 'serving'
    onEvent({ type: 'serving' })
  }

  /** Stops the parts in sequence, the last part first: later parts use the earlier parts. */
  async function stopParts(): Promise<void> {
    for (const part of parts.splice(0).reverse()) {
      try {
        const stopped = Promise.race([part.stop?.(deadline.signal), missed])
        await (part.stopTimeoutMs === undefined ? stopped : withTimeout(stopped, part.stopTimeoutMs))
      } catch (err) {
        onEvent({ type: 'part failed to stop', part: part.name, err })
      }
    }
  }

  async function drainPart(part: Part): Promise<void> {
    try {
      await part.drain?.()
    } catch (err) {
      onEvent({ type: 'part failed to stop', part: part.name, err })
    }
  }

  /** A second call cuts the remaining work. */
  async function stop(code: 0 | 1, delayMs: number, timeoutMs: number): Promise<void> {
    if (stopping) return deadline.abort('cut')
    stopping = true
    const delay = phase === 'serving' ? delayMs : 0
    // A start that is stopped never finishes, so the startup probe must not report that it has finished.
    if (phase === 'serving') phase = 'draining'
    onEvent({ type: 'draining' })
    const timer = setTimeout(() => deadline.abort('deadline missed'), timeoutMs)
    await Promise.race([starting, missed])
    await Promise.race([Promise.all(parts.map(drainPart)), missed])
    await Promise.race([new Promise((resolve) => setTimeout(resolve, delay)), missed])
    await stopParts()
    clearTimeout(timer)
    phase = 'stopped'
    const { aborted, reason } = deadline.signal
    onEvent({ type: aborted ? reason : 'stopped' })
    ended.resolve(aborted || failed ? 1 : code)
  }

  function onSignal(signal: Signal, act: () => unknown): void {
    process.on(signal, () => {
      onEvent({ type: 'signal', signal })
      void act()
    })
  }

  return {
    phase: () => phase,
    /**
     * Starts the service and resolves with the exit code when it has stopped: 0 after a clean stop, 1 after a failed
     * start, a crash or a missed deadline. `startParts` awaits `use(part)` for each part in order, and a stop reverses
     * the order. SIGTERM drains, and SIGINT drains without the delay. A stop during the start begins after the current
     * part. A second signal, or a crash during the stop, ends the stop immediately.
     */
    run(startParts: StartParts): Promise<0 | 1> {
      onSignal('SIGTERM', () => stop(0, drainDelayMs, shutdownTimeoutMs))
      onSignal('SIGINT', () => stop(0, 0, shutdownTimeoutMs))
      onSignal('SIGHUP', reload)
      process.on('uncaughtException', (err: unknown) => {
        onEvent({ type: 'crash', err })
        void stop(1, 0, crashTimeoutMs)
      })
      starting = start(startParts)
      return ended.promise
    },
  }
}
