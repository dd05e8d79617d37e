import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { withTimeout } from '../with-timeout.ts'

/**
 * Returns the address of this machine from which packets to `host` leave. Connecting a UDP socket selects the route and
 * sends no packet, so the result does not depend on the state of `host`.
 * @throws when the name cannot be resolved within three seconds, or no route exists
 */
export async function localAddress(host: string, port: number): Promise<string> {
  const { address, family } = await withTimeout(lookup(host), 3_000)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  try {
    socket.connect(port, address)
    await once(socket, 'connect')
    return socket.address().address
  } finally {
    socket.close()
  }
}
