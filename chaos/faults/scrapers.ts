import { connect } from 'node:net'
import { setTimeout } from 'node:timers'

/*
 * node chaos/faults/scrapers.ts COUNT URL SECONDS opens COUNT connections that send requests and read almost nothing of
 * the responses, like a Prometheus that hangs.
 */

const [count, url = '', seconds] = process.argv.slice(2)
const { hostname, port, pathname } = new URL(url)

/** Pipelined requests of a connection, within the limit of the service. Their responses exceed the socket buffers. */
const REQUESTS = 60

for (let index = 0; index < Number(count); index++) {
  const socket = connect(Number(port), hostname).on('error', () => {})
  socket.write(`GET ${pathname} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`.repeat(REQUESTS))
}
setTimeout(() => process.exit(), Number(seconds) * 1_000)
