import net, { type AddressInfo, type Server } from 'node:net'

export interface ListenOptions {
  readonly server: Server
  readonly host: string
  readonly port: number
  /** An inherited listening socket, used in place of host and port. */
  readonly fd?: number | undefined
  /** Whether other processes may listen on the same port (SO_REUSEPORT). @default false */
  readonly reusePort?: boolean
}

/** Listens, and resolves with the address. @throws Error that names the variable to change, when the address is not available */
export async function listen({ server, host, port, fd, reusePort = false }: ListenOptions): Promise<AddressInfo> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(chooseSocket({ host, port, fd, reusePort }), () => {
        server.off('error', reject)
        resolve()
      })
    })
    return server.address() as AddressInfo
  } catch (error) {
    throw explain(error as NodeJS.ErrnoException, host, port)
  }
}

/**
 * `listen()` tests the host with an IPv6 regular expression that takes 4 ms to compile, so an IPv4 address is bound here.
 * Older versions of Node have no BoundSocket.
 */
function chooseSocket({ host, port, fd, reusePort }: Omit<ListenOptions, 'server'>) {
  if (fd !== undefined) return { fd }
  if (reusePort || !net.isIPv4(host) || !('BoundSocket' in net)) return { host, port, reusePort }
  return { handle: new net.BoundSocket({ host, port }) }
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const explanations: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is taken: stop the other process, or set PORT`,
    EACCES: `this user cannot listen on port ${port}: set PORT to 1024 or above`,
    EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST`,
    ENOTFOUND: `${host} is not an address of this machine: set HOST`,
  }
  const explanation = explanations[error.code ?? '']
  return explanation === undefined ? error : new Error(explanation, { cause: error })
}
