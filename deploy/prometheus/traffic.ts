import { Agent, get } from 'node:http'
import { setInterval } from 'node:timers/promises'

export interface Traffic {
  /** Chooses the path of a request by its number. */
  path: (count: number) => string
  stop(): Promise<void>
}

/** Sends requests at a steady rate. A slow response does not delay later requests. */
export function startTraffic(base: string, intervalMs: number): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 100 })
  const end = new AbortController()
  const traffic: Traffic = {
    path: () => '/ping',
    async stop() {
      end.abort()
      await sending
      agent.destroy()
    },
  }
  async function send(): Promise<void> {
    let count = 0
    try {
      for await (const _ of setInterval(intervalMs, undefined, { signal: end.signal })) {
        // The faults include instances that refuse connections.
        get(base + traffic.path(count++), { agent }, (response) => response.resume()).on('error', () => {})
      }
    } catch (error) {
      if (!end.signal.aborted) throw error
    }
  }
  const sending = send()
  return traffic
}
