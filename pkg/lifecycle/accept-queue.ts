import { connect, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'

/** What Node's own code calls on a listening or connecting socket. */
interface Handle {
  listen(backlog: number): number
  /** 0 when the socket is connected. */
  getpeername(out: object): number
}

const handleOf = (of: Server | Socket) => (of as unknown as { _handle: Handle })._handle

const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Enough for any queue that empties; under a flood of new clients it may be never. */
const MAX_TURNS = 50

/**
 * Keeps new connections out of the kernel's queue of a listening socket, so that none waits there when it is
 * closed: those are reset, with the requests that they have sent. The queue is made one place long, and a
 * connection of our own takes it. Who asks then gets no answer, asks again after a second, and is refused,
 * which every client takes for «not sent». Resolves with what is to be called when the socket is closed.
 *
 * Not for a socket that other processes accept from.
 */
export async function fillAcceptQueue(server: Server): Promise<() => void> {
  const address = server.address()
  if (address === null || typeof address === 'string') return () => {}
  const host = LOOPBACK[address.address] ?? address.address
  handleOf(server).listen(0)
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const filler = connect(address.port, host).on('error', () => {})
    // By then the system has been asked, and the event loop has accepted nobody.
    await new Promise<void>((resolve) => process.nextTick(resolve))
    if (handleOf(filler)?.getpeername({}) === 0) return () => filler.destroy()
    // Somebody else has the place, and is accepted now.
    filler.destroy()
    await setImmediate()
    await setImmediate()
  }
  return () => {}
}
