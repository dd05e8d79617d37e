import { setTimeout as sleep } from 'node:timers/promises'
import type { Instance, Watch } from './registry.ts'

/** Creates a watch that reads the list in a loop, with a pause of `pauseMs` after each read. */
export function watchInLoop(pauseMs: number, read: (signal: AbortSignal) => Promise<readonly Instance[]>): Watch {
  return async function watch(onInstances, onError, signal) {
    while (!signal.aborted) {
      try {
        const instances = await read(signal)
        if (!signal.aborted) onInstances(instances)
      } catch (error) {
        if (!signal.aborted) onError(error as Error)
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }
}
