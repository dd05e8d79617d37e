/*
 * Opens connections at a fixed rate, sends one request on each, and keeps them open until the process ends:
 *   node connections.ts <port> <connections> <connections a second>
 * Prints `open` when all attempts have ended.
 */
import { connect } from 'node:net'
import { openLoop } from '../../support/open-loop.ts'

const [port = 0, count = 0, ratePerSecond = 0] = process.argv.slice(2).map(Number)

/** Resolves at the first byte of a response, or at the end of the connection. */
function open(index: number): Promise<void> {
  return new Promise((resolve) => {
    // Each address has its own range of outgoing ports.
    const socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.${1 + (process.pid % 200)}.${1 + (index % 8)}`,
    })
    const wait = setTimeout(resolve, 5_000)
    socket.on('error', () => {})
    socket.once('data', () => resolve())
    socket.once('close', () => {
      clearTimeout(wait)
      resolve()
    })
    socket.write('GET /ping HTTP/1.1\r\nhost: x\r\n\r\n')
  })
}

await openLoop({ ratePerSecond, durationMs: (count / ratePerSecond) * 1_000, send: open })
process.stdout.write('open\n')
setInterval(() => {}, 1_000)
