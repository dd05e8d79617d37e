import { execFile } from 'node:child_process'

export interface NotifierOptions {
  /** Set it when systemd expects notifications. Otherwise every method returns without effect. */
  readonly enabled: boolean
  /** Longest time between two watchdog notifications, in milliseconds. @default no watchdog */
  readonly watchdogMs?: number
  /** Called when a notification could not be sent. The service continues. */
  readonly onError?: (error: Error) => void
  /** Runs a program. @default execFile */
  readonly run?: (file: string, args: readonly string[], done: (error: Error | null) => void) => void
}

export interface Notifier {
  /** Reports that the service is ready. From then on the event loop notifies the watchdog. */
  ready(): void
  /** Reports that the service is stopping. */
  stopping(): void
  /** Stops the watchdog notifications. */
  stop(): void
}

/**
 * Reports the state of the service to systemd. Node.js cannot open datagram Unix sockets, so the program `systemd-notify`
 * sends the notifications, and the unit needs `NotifyAccess=all`.
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
      // sd_watchdog_enabled(3) recommends half of the period.
      if (enabled && watchdogMs !== undefined) timer = setInterval(() => send('WATCHDOG=1'), watchdogMs / 2)
    },
    stopping: () => send('STOPPING=1'),
    stop: () => clearInterval(timer),
  }
}
