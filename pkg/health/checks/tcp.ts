import { connect } from 'node:net'
import type { Check } from '../monitor.ts'
import { lookup } from './lookup.ts'

export interface TcpCheckOptions {
  readonly host: string
  readonly port: number
}

/** Opens a connection and closes it. */
export function tcpCheck({ host, port }: TcpCheckOptions): Check {
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
