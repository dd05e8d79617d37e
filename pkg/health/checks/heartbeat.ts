import type { Check } from '../monitor.ts'
import { type CommandCheckOptions, commandCheck } from './command.ts'
import { type HttpCheckOptions, httpCheck } from './http.ts'
import { type TcpCheckOptions, tcpCheck } from './tcp.ts'

export type HeartbeatTarget =
  | ({ readonly type: 'http' } & HttpCheckOptions)
  | ({ readonly type: 'tcp' } & TcpCheckOptions)
  | ({ readonly type: 'command' } & CommandCheckOptions)

/** Creates the check of another service or of a program. */
export function createHeartbeat(target: HeartbeatTarget): Check {
  switch (target.type) {
    case 'http':
      return httpCheck(target)
    case 'tcp':
      return tcpCheck(target)
    case 'command':
      return commandCheck(target)
  }
}
