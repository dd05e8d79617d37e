import { execFile } from 'node:child_process'

export interface NotifierOptions {
  /** Whether anybody listens; without, every call does nothing. */
  readonly enabled: boolean
  /** Sign of life that is expected at least this often, in milliseconds. @default none */
  readonly watchdogMs?: number
  /** A notification could not be sent; the service goes on. */
  readonly onError?: (error: Error) => void
  /** Runs a program. @default execFile */
  readonly run?: (file: string, args: readonly string[], done: (error: Error | null) => void) => void
}

export interface Notifier {
  /** The service can be used. From now on the watchdog is fed for as long as the event loop turns. */
  ready(): void
  stopping(): void
  /** Feeds the watchdog no longer. */
  stop(): void
}

/**
 * Tells systemd how the service is. Node has no datagram Unix sockets, so `systemd-notify` carries
 * the message, and the unit needs `NotifyAccess=all`.
 */
export function createNotifier({ enabled, watchdogMs, onError = () => {}, run = execFile }: NotifierOptions): Notifier {
  let timer: NodeJS.Timeout | undefined

  function send(state: string): void {
    if (!enabled) return
    run('systemd-notify', [state], (error) => {
      if (error !== null) onError(error)
    })
  }

  return {
    ready() {
      send('READY=1')
      // Half of the time, as sd_watchdog_enabled(3) recommends.
      if (enabled && watchdogMs !== undefined) timer = setInterval(() => send('WATCHDOG=1'), watchdogMs / 2)
    },
    stopping: () => send('STOPPING=1'),
    stop: () => clearInterval(timer),
  }
}
