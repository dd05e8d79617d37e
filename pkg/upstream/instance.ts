import { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { ACTIVE, type Ejection } from './ejection.ts'
import type { Origin } from './exchange.ts'
import { type Candidate, type Load, UNKNOWN } from './load.ts'

/**
 * Lifetime of an idle connection, in milliseconds. A shorter time in the instance's `keep-alive` header takes
 * precedence.
 */
const IDLE_MS = 30_000

/** One instance of an upstream with its connections. */
export interface Instance extends Candidate {
  origin: Origin
  readonly agent: Agent
  load: Load
  ejection: Ejection
  /** Time of the last probe or the last end of a request, in milliseconds. */
  seenAt: number
  isProbing: boolean
  /** Counts a request as in flight. Returns a function that ends the count. */
  begin(now: number): () => void
  /** Closes the idle connections now, and other connections when their requests have ended. */
  retire(): void
}

/** The upstream's limit of calls in progress also limits the connections, so the agent has no limit. */
export function createInstance(origin: Origin): Instance {
  const AgentClass = origin.protocol === 'https:' ? TlsAgent : Agent
  const agent = new AgentClass({ keepAlive: true, scheduling: 'lifo', timeout: IDLE_MS })
  // A set keeps the order of its entries, so the first entry is the oldest.
  const requests = new Set<{ readonly at: number }>()
  let isRetired = false

  return {
    origin,
    agent,
    load: UNKNOWN,
    ejection: ACTIVE,
    // With this time, the first probe is due at once.
    seenAt: Number.NEGATIVE_INFINITY,
    isProbing: false,
    get inFlight() {
      return requests.size
    },
    get oldestAt() {
      return requests.values().next().value?.at
    },
    begin(now) {
      const request = { at: now }
      requests.add(request)
      return () => {
        requests.delete(request)
        if (isRetired && requests.size === 0) agent.destroy()
      }
    },
    retire() {
      isRetired = true
      if (requests.size === 0) agent.destroy()
    },
  }
}
