import { connect } from 'node:net'
import type { Check } from '../monitor.ts'
import { lookup } from './lookup.ts'

/** Opens a connection and closes it. */
export function tcpCheck({ host, port }: { readonly host: string; readonly port: number }): Check {
  return function checkTcp(signal) {
    return new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port, signal, lookup })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.destroy()
        resolve()
      })
    })
  }
}
