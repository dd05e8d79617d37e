import { connect } from 'node:net'
import type { Check } from '../monitor.ts'
import { commandCheck } from './command.ts'
import { CheckFailure } from './failure.ts'
import { lookup } from './lookup.ts'

type Target =
  | { readonly type: 'http'; readonly url: string }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'command'; readonly file: string; readonly args: readonly string[] }

/** Creates the check of another service or of a program. */
export function createHeartbeat(target: Target): Check {
  if (target.type === 'http') return httpCheck(target.url)
  if (target.type === 'tcp') return tcpCheck(target.host, target.port)
  return commandCheck(target.file, target.args)
}

/** Requests the liveness of another service. Any 2xx status is ok. Does not follow redirects. */
function httpCheck(url: string): Check {
  const { get } = process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http')
  return (signal) =>
    new Promise<void>((resolve, reject) => {
      get(url, { signal, lookup, agent: false }, (response) => {
        // Discard the body: only the status counts.
        response.destroy()
        const { statusCode = 0 } = response
        if (statusCode >= 200 && statusCode < 300) resolve()
        else reject(new CheckFailure('unhealthy', `${url} responded with status ${statusCode}`))
      }).once('error', reject)
    })
}

/** Opens a connection and closes it. */
function tcpCheck(host: string, port: number): Check {
  return (signal) =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port, signal, lookup }, () => {
        socket.destroy()
        resolve()
      })
      socket.once('error', reject)
    })
}
