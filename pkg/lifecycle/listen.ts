import { once } from 'node:events'
import net, { type Server } from 'node:net'

export interface ListenOptions {
  readonly server: Server
  /** The address or the host name to listen on. */
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** Name of the setting for the port, for error messages. @default 'PORT' */
  readonly setting?: string
  /** A listening socket that this process has inherited. It replaces `host` and `port`. */
  readonly fd?: number | undefined
  /**
   * Lets other processes of the same user listen on the same port, when they set this option too (SO_REUSEPORT).
   * @default false
   */
  readonly reusePort?: boolean
}

/**
 * Resolves when the server accepts connections.
 *
 * @throws an error that names the setting to change, with the system error as its cause
 */
export async function listen({
  server,
  host,
  port,
  setting = 'PORT',
  fd,
  reusePort = false,
}: ListenOptions): Promise<void> {
  try {
    if (fd !== undefined) server.listen({ fd })
    // `listen()` tests the host with an IPv6 regular expression that takes 4 ms to compile. Node 24 has no BoundSocket.
    else if (net.isIPv4(host) && 'BoundSocket' in net) {
      server.listen({ handle: new net.BoundSocket({ host, port, reusePort }) })
    } else server.listen({ host, port, reusePort })
    await once(server, 'listening')
  } catch (cause) {
    const foreign = `${host} is not an address of this machine: set HOST`
    const explanations: Readonly<Record<string, string>> = {
      EADDRINUSE: reusePort
        ? `port ${port} on ${host} is taken by a process that does not share it: start that process with REUSE_PORT=true and as the same user, or set ${setting}`
        : `port ${port} on ${host} is taken: stop the other process, or set ${setting}`,
      EACCES: `this user cannot listen on port ${port}: set ${setting} to 1024 or above`,
      EADDRNOTAVAIL: foreign,
      ENOTFOUND: foreign,
    }
    const explanation =
      fd === undefined
        ? explanations[(cause as NodeJS.ErrnoException).code ?? '']
        : `file descriptor ${fd} is not a socket that this process has inherited: set LISTEN_FD`
    throw explanation === undefined ? cause : new Error(explanation, { cause })
  }
}
