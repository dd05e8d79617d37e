import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { withTimeout } from '../with-timeout.ts'

/** Node's private handle of a listening or connecting socket. `getpeername` returns 0 when the socket is connected. */
type Handle = Partial<Record<'listen', (backlog: number) => void> & Record<'getpeername', (out: object) => number>>

const getHandle = (owner: Server | Socket) => (owner as unknown as { _handle?: Handle | null })._handle

const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/**
 * Keeps new connections out of the kernel's queue of a listening socket. When the socket closes, the kernel resets the
 * connections in its queue, with the requests that they have sent. The function shortens the queue to one place and
 * fills that place with its own connection. A client that connects now gets no response from the kernel and tries again
 * after a second. Then the client reaches the process that listens, or is refused. In both cases, the client knows that
 * its request was not sent.
 *
 * Resolves with a function to call when the socket is closed. Resolves with undefined when Node lacks these private
 * methods, or after `timeoutMs` milliseconds: a flood of new clients may never leave a free place. Must not be used for
 * a socket from which other processes accept too.
 */
export async function fillAcceptQueue(server: Server, timeoutMs = 1_000): Promise<(() => void) | undefined> {
  const address = server.address()
  const listening = getHandle(server)
  if (address === null || typeof address === 'string' || listening?.listen === undefined) return undefined
  const host = LOOPBACK[address.address] ?? address.address
  // With a local address, the system picks a source port that no other connection uses, so the port can be used again.
  const to = { host, port: address.port, localAddress: host }
  const localPort = await findSourcePort(server, to, timeoutMs)
  if (localPort === undefined) return undefined
  listening.listen(0)
  for (const end = process.uptime() + timeoutMs / 1_000; process.uptime() < end; ) {
    const filler = connect({ ...to, localPort }).on('error', () => {})
    // `connect` makes the system call at the end of this tick, before the event loop looks for new connections.
    await new Promise<void>((resolve) => process.nextTick(resolve))
    // The connection is established but not accepted, so it waits in the queue.
    if (getHandle(filler)?.getpeername?.({}) === 0) return () => filler.destroy()
    // Another connection occupies the place. Accept it now.
    filler.destroy()
    await nextTurn()
  }
  return undefined
}

/** Resolves when the event loop has accepted waiting connections. */
export async function nextTurn(): Promise<void> {
  await setImmediate()
  await setImmediate()
}

/**
 * Returns a source port that leads to the queue of this server and to no other. With SO_REUSEPORT the kernel chooses
 * one of the listening sockets by the addresses and ports of a connection, so the port of a trial connection that this
 * server accepts leads to it again.
 */
async function findSourcePort(
  server: Server,
  to: { readonly host: string; readonly port: number; readonly localAddress: string },
  timeoutMs: number,
): Promise<number | undefined> {
  const accepted = new Map<number | undefined, Socket>()
  const remember = (socket: Socket) => void accepted.set(socket.remotePort, socket)
  server.on('connection', remember)
  try {
    for (const end = process.uptime() + timeoutMs / 1_000; process.uptime() < end; ) {
      const trial = connect(to).on('error', () => {})
      await withTimeout(once(trial, 'connect'), timeoutMs).catch(() => {})
      const { localPort } = trial
      for (let turn = 0; turn < 3 && !accepted.has(localPort); turn++) await nextTurn()
      const ours = accepted.get(localPort)
      if (ours !== undefined) {
        // A connection that is reset leaves its source port free immediately.
        if (!trial.destroyed) await once(trial.resetAndDestroy(), 'close')
        ours.destroy()
        return localPort
      }
      accepted.clear()
      trial.destroy()
    }
    return undefined
  } finally {
    server.off('connection', remember)
  }
}
