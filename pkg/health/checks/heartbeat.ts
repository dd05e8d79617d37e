import type { LookupAddress, LookupOptions } from 'node:dns'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Check } from '../monitor.ts'
import { commandCheck } from './command.ts'
import { CheckFailure } from './failure.ts'

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
      const request = get(url, { signal, lookup, agent: false }, (response) => {
        // Discard the body: only the status counts.
        response.destroy()
        const { statusCode = 0 } = response
        if (statusCode >= 200 && statusCode < 300) resolve()
        else reject(new CheckFailure('unhealthy', `${url} responded with status ${statusCode}`))
      })
      request.once('error', reject)
      // After a response with status 101, Node closes the connection without a response and without an error.
      request.once('close', () => reject(new CheckFailure('unhealthy', `${url} closed without a response`)))
    })
}

/** Opens a connection and closes it again. */
function tcpCheck(host: string, port: number): Check {
  return async (signal) => {
    const socket = connect({ host, port, signal, lookup })
    await once(socket, 'connect')
    socket.destroy()
  }
}

type Done = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

const pending = new Map<string, Done[]>()

/**
 * Looks up a name with the resolver of the system, one lookup at a time for each name. A lookup cannot be cancelled and
 * occupies one of libuv's few threads until the resolver gives up. Without this limit, repeated checks of one name
 * would occupy every thread and block the lookup of all other names.
 */
function lookup(name: string, options: LookupOptions, done: Done): void {
  const key = `${name} ${JSON.stringify(options)}`
  const waiting = pending.get(key)
  if (waiting) return void waiting.push(done)
  const all = [done]
  pending.set(key, all)
  // Load the module at the first lookup to keep the start fast.
  process.getBuiltinModule('node:dns').lookup(name, options, (...result) => {
    pending.delete(key)
    for (const each of all) each(...(result as Parameters<Done>))
  })
}
