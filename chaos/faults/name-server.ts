import { createSocket } from 'node:dgram'

/*
 * node chaos/faults/name-server.ts ADDRESS PORT responds to every A query with 127.0.0.1, and to other types with no
 * record. It is a process of its own, so that SIGSTOP makes it a server that never responds.
 */

const TYPE_A = 1

/** Responds to a query with one question (RFC 1035 §4). */
export function respond(query: Buffer): Buffer {
  const HEADER = 12
  // The question ends with the empty label, the type and the class.
  const end = query.indexOf(0, HEADER) + 5
  const hasAddress = query.readUInt16BE(end - 4) === TYPE_A
  const response = Buffer.from(query.subarray(0, end))
  response.writeUInt16BE(0x8180, 2)
  response.writeUInt16BE(hasAddress ? 1 : 0, 6)
  response.writeUInt32BE(0, 8)
  // The name is a pointer to the question. The TTL is 0, so no resolver caches the address.
  const address = Buffer.from([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])
  return hasAddress ? Buffer.concat([response, address]) : response
}

if (import.meta.main) {
  const [address, port] = process.argv.slice(2)
  const server = createSocket('udp4')
  server.on('message', (query, { address, port }) => server.send(respond(query), port, address))
  server.bind(Number(port), address, () => console.log('ready'))
}
