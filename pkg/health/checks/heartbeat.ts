import type { Check } from '../monitor.ts'
import { commandCheck } from './command.ts'
import { httpCheck } from './http.ts'
import { tcpCheck } from './tcp.ts'

type HeartbeatTarget =
  | { readonly type: 'http'; readonly url: string }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'command'; readonly file: string; readonly args: readonly string[] }

/** Creates the check of another service or of a program. */
export function createHeartbeat(target: HeartbeatTarget): Check {
  if (target.type === 'http') return httpCheck(target)
  if (target.type === 'tcp') return tcpCheck(target)
  return commandCheck(target)
}
