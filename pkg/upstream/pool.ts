import { type ConnectionEvent, type Ejection, isFailing, nextEjection, reinstate } from './ejection.ts'
import { AttemptError, exchange, type Origin } from './exchange.ts'
import { createInstance, type Instance } from './instance.ts'
import { observe } from './load.ts'
import { pick, type Random } from './pick.ts'
import { originKey } from './resolve.ts'

export type PoolEvent =
  | { readonly type: 'instance ejected' | 'instance back'; readonly host: string; readonly port: number }
  | { readonly type: 'instances changed'; readonly added: readonly string[]; readonly removed: readonly string[] }

export interface PoolOptions {
  readonly now: () => number
  readonly random: Random
  readonly onEvent: (event: PoolEvent) => void
}

/** Any status below 500 means that the instance works, so an upstream need not have the path. */
const PROBE_PATH = '/health/ready'
const PROBE_TIMEOUT_MS = 1_000
/**
 * Interval between the probes of an instance without requests, in milliseconds. It is similar to Envoy's active health
 * checks.
 */
const UNUSED_MS = 5_000
/**
 * Interval between the probes of each instance while the circuit waits for a probe or every instance fails, in
 * milliseconds.
 */
const URGENT_MS = 500
/** Largest body of a health response, which may be a page, in bytes. */
const PROBE_MAX_BYTES = 256 * 1024

/**
 * Manages the instances of an upstream: picks an instance for a request, ejects failing instances, and probes instances
 * without requests.
 */
export function createPool({ now, random, onEvent }: PoolOptions) {
  let instances: readonly Instance[] = []
  const isActive = ({ ejection }: Instance) => ejection.probeAt === undefined

  /** Records the outcome of a request or a probe. The instance may be ejected, or be in use again. */
  function record(instance: Instance, event: ConnectionEvent): void {
    // A request may end after the source has removed its instance.
    if (!instances.includes(instance)) return
    const mayEject = instances.some((each) => each !== instance && isActive(each))
    setEjection(instance, nextEjection(instance.ejection, event, { now: now(), random, mayEject }))
  }

  function setEjection(instance: Instance, ejection: Ejection): void {
    const wasActive = isActive(instance)
    instance.ejection = ejection
    if (isActive(instance) === wasActive) return
    const { host, port } = instance.origin
    onEvent({ type: wasActive ? 'instance ejected' : 'instance back', host, port })
    // The idle connections of an ejected instance may lead to a process that no longer exists.
    if (wasActive) for (const socket of Object.values(instance.agent.freeSockets).flat()) socket?.destroy()
  }

  async function probe(instance: Instance): Promise<boolean> {
    instance.isProbing = true
    const startedAt = now()
    const { origin, agent } = instance
    try {
      const headers = { accept: 'application/json' }
      const common = { origin, agent, headers, timeoutMs: PROBE_TIMEOUT_MS, maxBytes: PROBE_MAX_BYTES }
      await exchange({ ...common, method: 'GET', path: PROBE_PATH })
      // A probe is faster than a request, so its time must not become the first latency of an instance.
      const latencyMs = instance.load.latencyMs === undefined ? undefined : now() - startedAt
      instance.load = observe(instance.load, { latencyMs, ok: true, now: now() })
      record(instance, 'probe ok')
      return true
    } catch (error) {
      const hasConnected = error instanceof AttemptError && error.status !== undefined
      instance.load = observe(instance.load, { latencyMs: undefined, ok: false, now: now() })
      if (!isActive(instance)) record(instance, 'probe failed')
      else record(instance, hasConnected ? 'ok' : 'failed')
      return false
    } finally {
      instance.isProbing = false
      instance.seenAt = now()
    }
  }

  return {
    /** Replaces the instances. Instances that remain keep their state. */
    update(origins: readonly Origin[]): void {
      const known = new Map(instances.map((each) => [originKey(each.origin), each]))
      const next = origins.map((origin) =>
        // The rank may have changed.
        Object.assign(known.get(originKey(origin)) ?? createInstance(origin), { origin }),
      )
      const added = next.filter((each) => !instances.includes(each))
      const removed = instances.filter((each) => !next.includes(each))
      instances = next
      if (added.length + removed.length === 0) return
      for (const instance of removed) instance.retire()
      onEvent({ type: 'instances changed', added: listNames(added), removed: listNames(removed) })
      // The source has removed every instance in use. The ejected instances serve without waiting for their probes.
      if (!instances.some(isActive)) for (const each of instances) setEjection(each, reinstate(each.ejection, now()))
    },
    /**
     * Returns an instance of the lowest rank for a request, preferably an instance that is not in `tried`, or undefined
     * when the pool is empty.
     */
    pick(tried: ReadonlySet<Instance>): Instance | undefined {
      const active = instances.filter(isActive)
      const untried = active.filter((instance) => !tried.has(instance))
      const usable = untried.length > 0 ? untried : active
      const first = Math.min(...usable.map(readRank))
      return pick(
        usable.filter((instance) => readRank(instance) === first),
        random,
        now(),
      )
    },
    record,
    /**
     * Starts the probes that are due. With `isUrgent`, and while every instance fails, ejected instances and instances
     * with requests are due soon. Resolves with true when a probe has succeeded.
     */
    async probe(isUrgent: boolean): Promise<boolean> {
      const isSoon = isUrgent || instances.every(({ ejection }) => isFailing(ejection))
      const due = instances.filter(({ isProbing, ejection: { probeAt }, inFlight, seenAt }) => {
        if (isProbing) return false
        if (isSoon) return now() - seenAt >= URGENT_MS
        if (probeAt !== undefined) return now() >= probeAt
        // Replicas of this service may have started together. Jitter spreads their probes.
        return inFlight === 0 && now() - seenAt >= UNUSED_MS * (0.75 + random() / 2)
      })
      return (await Promise.all(due.map(probe))).includes(true)
    },
    list: () => instances,
    stop(): void {
      for (const { agent } of instances) agent.destroy()
    },
  }
}

const readRank = ({ origin: { rank = 0 } }: Instance) => rank

const listNames = (instances: readonly Instance[]) => instances.map(({ origin: { host, port } }) => `${host}:${port}`)
