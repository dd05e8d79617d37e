/** What systemd tells a service of `Type=notify` or with a socket unit, where it does. */
export interface Systemd {
  /** The listening socket that was handed over. */
  readonly listenFd?: number
  /** Whether it waits for notifications. */
  readonly notify: boolean
  /** How long it may be without a sign of life before it is restarted, in milliseconds. */
  readonly watchdogMs?: number
}

/** https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
const FIRST_FD = 3

/**
 * Reads the variables of the service manager. Those that were meant for another process, as a shell
 * leaves them behind, are not taken.
 *
 * @throws when several sockets were handed over: this service serves one
 */
export function readSystemd(environment: Readonly<Record<string, string | undefined>>, pid: number): Systemd {
  const { LISTEN_PID, LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment
  const sockets = LISTEN_PID === String(pid) ? Number(LISTEN_FDS) : 0
  if (sockets > 1) throw new Error(`${sockets} sockets were handed over and this service serves one: see LISTEN_FDS`)
  const watched = WATCHDOG_USEC !== undefined && (WATCHDOG_PID ?? String(pid)) === String(pid)
  return {
    notify: NOTIFY_SOCKET !== undefined && NOTIFY_SOCKET !== '',
    ...(sockets === 1 && { listenFd: FIRST_FD }),
    ...(watched && { watchdogMs: Number(WATCHDOG_USEC) / 1_000 }),
  }
}
