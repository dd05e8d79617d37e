import { setTimeout as sleep } from 'node:timers/promises'

/** An instance as the registry describes it. Host and port are not validated. */
export interface Instance {
  /** The registry's own id of the instance. */
  readonly id: string
  readonly host: string
  readonly port: number
  /** Share of the requests in relation to the other instances. 0 means no new requests. @default 1 */
  readonly weight?: number
}

export interface Watch {
  /**
   * Calls `onInstances` with every list that the registry returns, whether or not it has changed, and `onError` for
   * every failed request. An empty list means that the registry has responded and lists no healthy instance. Resolves
   * once `signal` has aborted. Never rejects.
   */
  watch(
    service: string,
    onInstances: (instances: readonly Instance[]) => void,
    onError: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<void>
}

/**
 * Creates a watch that reads the list in a loop, with a pause of `pauseMs` after each read.
 *
 * @param start returns the function that reads the list once
 */
export function createWatch(
  pauseMs: number,
  start: (service: string, signal: AbortSignal) => () => Promise<readonly Instance[]>,
): Watch {
  return {
    async watch(service, onInstances, onError, signal) {
      const read = start(service, signal)
      while (!signal.aborted) {
        try {
          const instances = await read()
          if (!signal.aborted) onInstances(instances)
        } catch (error) {
          if (!signal.aborted) onError(error as Error)
        }
        await sleep(pauseMs, undefined, { signal }).catch(() => {})
      }
    },
  }
}
