import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/**
 * Makes a server of a test listen on the loopback address. `stop` also closes the connections of an HTTP server, and so
 * does disposing.
 *
 * @param wanted the port. @default any free port
 */
export async function listen(server: Server & { readonly closeAllConnections?: () => void }, wanted = 0) {
  await once(server.listen(wanted, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections?.()
    })
  return { port, url: `http://127.0.0.1:${port}`, stop, [Symbol.asyncDispose]: stop }
}
