/** The instructions that systemd passes to a service in its environment. */
export interface Systemd {
  /** File descriptor of the listening socket that systemd passed. */
  readonly listenFd?: number
  /** True when systemd expects notifications: `Type=notify`. */
  readonly notify: boolean
  /** systemd restarts the service after this time without a watchdog notification: `WatchdogSec=`, in milliseconds. */
  readonly watchdogMs?: number
}

/** https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
const FIRST_FD = 3

/**
 * Reads the variables that systemd sets. Variables that name the process id of another process are ignored: a shell
 * passes them on to its children.
 *
 * @throws when systemd passed several sockets, because the service listens on one
 */
export function readSystemd(environment: Readonly<Record<string, string | undefined>>, pid: number): Systemd {
  const { LISTEN_PID, LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment
  const sockets = LISTEN_PID === String(pid) ? Number(LISTEN_FDS) : 0
  if (sockets > 1) throw new Error(`LISTEN_FDS: systemd passed ${sockets} sockets, but the service listens on one`)
  const watched = WATCHDOG_USEC !== undefined && (WATCHDOG_PID ?? String(pid)) === String(pid)
  return {
    notify: NOTIFY_SOCKET !== undefined && NOTIFY_SOCKET !== '',
    ...(sockets === 1 && { listenFd: FIRST_FD }),
    ...(watched && { watchdogMs: Number(WATCHDOG_USEC) / 1_000 }),
  }
}
