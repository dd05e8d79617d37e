import { constants } from 'node:fs'

/** Tells whether a file descriptor is nonblocking, by the text of its file in `/proc/PID/fdinfo`. */
export function isNonblocking(fdinfo: string): boolean {
  const [, flags = ''] = /^flags:\s+(\d+)/m.exec(fdinfo) ?? []
  return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0
}
