import type { Lifecycle } from './lifecycle.ts'

/** The events of `process` that `run` uses. */
export interface SignalSource {
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: () => void): unknown
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown
}

export interface RunOptions {
  readonly lifecycle: Pick<Lifecycle, 'stop' | 'cut'>
  readonly start: () => Promise<void>
  readonly process: SignalSource
  /** How long requests in flight may continue after a crash, in milliseconds. @default 3_000 */
  readonly crashDrainMs?: number
  /** Called on SIGHUP. @default no action */
  readonly reload?: () => void
  readonly onEvent?: (event: RunEvent) => void
}

export type RunEvent =
  | { readonly type: 'signal'; readonly signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP' }
  | { readonly type: 'crash' | 'failed to start'; readonly error: unknown }

/**
 * Starts the service and resolves with the exit code when the service has stopped: 0 after a clean stop, 1 after a failed
 * start, a crash or a missed deadline. SIGTERM drains, and SIGINT drains without the delay. A second signal, or a crash
 * during the stop, ends the stop at once. SIGHUP reloads.
 */
export function runUntilStopped(options: RunOptions): Promise<0 | 1> {
  const { lifecycle, process, crashDrainMs = 3_000, reload = () => {}, onEvent = () => {} } = options
  const { promise: ended, resolve: end } = Promise.withResolvers<0 | 1>()
  let stopping = false

  async function stop(delayMs: number | undefined, timeoutMs: number | undefined, code: 0 | 1): Promise<void> {
    if (stopping) return lifecycle.cut()
    stopping = true
    const inTime = await lifecycle.stop({
      ...(delayMs !== undefined && { delayMs }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
    end(inTime ? code : 1)
  }

  process.on('SIGTERM', () => {
    onEvent({ type: 'signal', signal: 'SIGTERM' })
    void stop(undefined, undefined, 0)
  })
  process.on('SIGINT', () => {
    onEvent({ type: 'signal', signal: 'SIGINT' })
    void stop(0, undefined, 0)
  })
  process.on('SIGHUP', () => {
    onEvent({ type: 'signal', signal: 'SIGHUP' })
    reload()
  })
  // Node reports unhandled rejections here too.
  process.on('uncaughtException', (error) => {
    onEvent({ type: 'crash', error })
    void stop(0, crashDrainMs, 1)
  })

  async function start(): Promise<void> {
    try {
      await options.start()
    } catch (error) {
      onEvent({ type: 'failed to start', error })
      // A stop in progress resolves with the exit code.
      if (!stopping) end(1)
    }
  }

  // Do not await the start: a start that hangs must not delay the stop.
  void start()
  return ended
}
