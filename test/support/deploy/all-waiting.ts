import type { SteadyLoad } from '../steady-load.ts'

/** A condition for `until`: every client waits for one instance that hangs, in two successive looks. */
export function allWaiting(load: SteadyLoad): () => boolean {
  let sent = -1
  return () => {
    const still = load.sent() === sent && load.inFlight() === load.clients
    sent = load.sent()
    return still
  }
}
