import { execFile } from 'node:child_process'

export interface Systemd {
  /** File descriptor of the listening socket that systemd passed. */
  readonly listenFd?: number
  /** The unit has `Type=notify`. */
  readonly notify: boolean
  /** `WatchdogSec=`: systemd restarts the service after this time without a notification, in milliseconds. */
  readonly watchdogMs?: number
}

/** https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
const FIRST_FD = 3

/**
 * Reads the variables that systemd sets. Ignores variables for another process, because a shell passes them on to its
 * children. @throws when systemd passed several sockets, because the service listens on one
 */
export function readSystemd(environment: Readonly<Record<string, string | undefined>>, pid: number): Systemd {
  const { LISTEN_PID, LISTEN_FDS, NOTIFY_SOCKET = '', WATCHDOG_USEC, WATCHDOG_PID = String(pid) } = environment
  const watchdogMs = WATCHDOG_PID === String(pid) ? Number(WATCHDOG_USEC) / 1_000 : 0
  const sockets = LISTEN_PID === String(pid) ? Number(LISTEN_FDS) : 0
  if (sockets > 1) throw new Error(`LISTEN_FDS: systemd passed ${sockets} sockets, but the service listens on one`)
  return {
    notify: NOTIFY_SOCKET !== '',
    ...(sockets === 1 && { listenFd: FIRST_FD }),
    ...(watchdogMs > 0 && { watchdogMs }),
  }
}

export interface NotifierOptions extends Omit<Systemd, 'listenFd'> {
  /** Called when a notification could not be sent. The service continues. */
  readonly onError: (error: Error) => void
  /** @default execFile */
  readonly run?: (file: string, args: readonly string[], done: (error: Error | null) => void) => void
}

/**
 * Reports the state of the service to systemd. Node.js cannot open datagram Unix sockets, so the program
 * `systemd-notify` sends the notifications, and the unit needs `NotifyAccess=all`. Has no effect when systemd expects
 * no notifications.
 */
export function createNotifier({ notify, watchdogMs, onError, run = execFile }: NotifierOptions) {
  let timer: NodeJS.Timeout | undefined

  function send(state: string): void {
    if (notify) run('systemd-notify', [state], (error) => error && onError(error))
  }

  return {
    /** Reports that the service is ready. From then on the event loop notifies the watchdog. */
    start() {
      send('READY=1')
      // sd_watchdog_enabled(3) recommends half of the period.
      if (notify && watchdogMs !== undefined) timer = setInterval(() => send('WATCHDOG=1'), watchdogMs / 2)
    },
    drain: () => send('STOPPING=1'),
    stop: () => clearInterval(timer),
  }
}
