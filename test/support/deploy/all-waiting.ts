import type { SteadyLoad } from '../steady-load.ts'

/** Returns a condition for `until`: in two successive calls, every client waits for an instance that hangs. */
export function allWaiting(load: SteadyLoad): () => boolean {
  let sent = -1
  return () => {
    const still = load.sent() === sent && load.inFlight() === load.clients
    sent = load.sent()
    return still
  }
}
