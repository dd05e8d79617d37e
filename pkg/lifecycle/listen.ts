import net, { type ListenOptions as NodeListenOptions, type Server } from 'node:net'

export interface ListenOptions {
  readonly server: Server
  /** An address of this machine, or a host name that resolves to one. */
  readonly host: string
  readonly port: number
  /** A listening socket that this process has inherited. It replaces `host` and `port`. */
  readonly fd?: number | undefined
  /**
   * Lets other processes of the same user listen on the same port (SO_REUSEPORT), so that a new process can take over from
   * an old one. Every process on the port must set it. @default false
   */
  readonly reusePort?: boolean
  /** The variable that sets `port`, for the text of errors. @default 'PORT' */
  readonly portVariable?: string
}

/**
 * Resolves when the server accepts connections.
 *
 * @throws an error that names the setting to change, with the system error as its cause
 */
export async function listen(options: ListenOptions): Promise<void> {
  const { server } = options
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(address(options), () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    throw explain(error as NodeJS.ErrnoException, options)
  }
}

/**
 * `listen()` tests the host with an IPv6 regular expression that takes V8 4 ms to compile, so an IPv4 address is bound
 * here. Node before 26 has no BoundSocket.
 *
 * @throws the error of the system
 */
function address({ host, port, fd, reusePort = false }: ListenOptions): NodeListenOptions | { readonly fd: number } {
  if (fd !== undefined) return { fd }
  if (!net.isIPv4(host) || !('BoundSocket' in net)) return { host, port, reusePort }
  return { handle: new net.BoundSocket({ host, port, reusePort }) }
}

function explain(error: NodeJS.ErrnoException, { host, port, reusePort, portVariable = 'PORT' }: ListenOptions): Error {
  const taken = reusePort
    ? `port ${port} on ${host} is taken by a process that does not share it: start that process with REUSE_PORT=true and as the same user, or set ${portVariable}`
    : `port ${port} on ${host} is taken: stop the other process, or set ${portVariable}`
  const explanations: Readonly<Record<string, string>> = {
    EADDRINUSE: taken,
    EACCES: `this user cannot listen on port ${port}: set ${portVariable} to 1024 or above`,
    EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST`,
    ENOTFOUND: `${host} is not an address of this machine: set HOST`,
  }
  const explanation = explanations[error.code ?? '']
  return explanation === undefined ? error : new Error(explanation, { cause: error })
}
