import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Watch } from './bridge.ts'

interface Address {
  readonly host: string
  readonly port: number
}

export interface WatchProbesOptions {
  readonly instances: readonly Address[]
  /** Time from the start of a probe to the start of the next probe, in milliseconds. @default 500 */
  readonly intervalMs?: number
  /** Longest probe, in milliseconds. @default `intervalMs` */
  readonly timeoutMs?: number
}

const PATH = '/health/ready'
/** Consecutive failures that remove an instance. */
const FALL = 2

/**
 * Watches a fixed list of instances with active health checks, for a proxy that has none. A probe succeeds with the
 * status 200. The first list waits until each instance has had a success or enough failures, so that the proxy does not
 * get an incomplete list.
 */
export function watchProbes({ instances, intervalMs = 500, timeoutMs = intervalMs }: WatchProbesOptions): Watch {
  return async function watch(onInstances, _onError, signal) {
    /** True for a usable instance. An instance without an entry has no result yet. */
    const states = new Map<Address, boolean>()

    function set(instance: Address, isUsable: boolean): void {
      if (states.get(instance) === isUsable) return
      states.set(instance, isUsable)
      if (states.size < instances.length) return
      const usable = instances.filter((each) => states.get(each))
      onInstances(usable.map(({ host, port }) => ({ id: `${host}:${port}`, host, port })))
    }

    async function follow(instance: Address): Promise<void> {
      for (let failures = 0; !signal.aborted; ) {
        const startedAt = performance.now()
        const isReady = await probe({ ...instance, timeoutMs, signal })
        if (signal.aborted) return
        failures = isReady ? 0 : failures + 1
        if (isReady) set(instance, true)
        else if (failures >= FALL) set(instance, false)
        const waitMs = Math.max(0, intervalMs - (performance.now() - startedAt))
        await sleep(waitMs, undefined, { signal }).catch(() => {})
      }
    }

    await Promise.all(instances.map(follow))
  }
}

interface Probe extends Address {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Resolves with true for a response with status 200 in time. Uses a new connection, as a new client would. */
function probe({ timeoutMs, signal, ...target }: Probe): Promise<boolean> {
  return new Promise((resolve) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    get({ ...target, path: PATH, agent: false, signal: limit }, (response) => {
      resolve(response.statusCode === 200)
      response.destroy()
    })
      .on('error', () => resolve(false))
      // After a response with status 101, Node closes the connection without a response and without an error.
      .once('close', () => resolve(false))
  })
}
