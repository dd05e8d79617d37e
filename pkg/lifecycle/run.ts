import type { Lifecycle } from './lifecycle.ts'

/** The slice of `process` that is listened to. */
export interface SignalSource {
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: () => void): unknown
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown
}

export interface RunOptions {
  readonly lifecycle: Pick<Lifecycle, 'stop' | 'cut'>
  readonly start: () => Promise<void>
  readonly process: SignalSource
  /** How long requests in flight may go on after a crash, in milliseconds. @default 3_000 */
  readonly crashDrainMs?: number
  /** What SIGHUP asks for. @default nothing */
  readonly reload?: () => void
  readonly onEvent?: (event: RunEvent) => void
}

export type RunEvent =
  | { readonly type: 'signal'; readonly signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP' }
  | { readonly type: 'crash' | 'failed to start'; readonly error: unknown }

/**
 * Starts and resolves with the exit code when everything has ended: 0 after a clean stop, 1 after a
 * failed start, a crash or a missed deadline. SIGTERM drains; SIGINT does so without the delay; a
 * second signal, or a crash while stopping, ends it at once. SIGHUP reloads.
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
  // Rejections that nobody handles arrive here too.
  process.on('uncaughtException', (error) => {
    onEvent({ type: 'crash', error })
    void stop(0, crashDrainMs, 1)
  })

  async function start(): Promise<void> {
    try {
      await options.start()
    } catch (error) {
      onEvent({ type: 'failed to start', error })
      // A stop that is under way ends it when it has ended.
      if (!stopping) end(1)
    }
  }

  // Not waited for: a start that hangs must not outlive its stop.
  void start()
  return ended
}
