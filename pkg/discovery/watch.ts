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
   * every failed request. An empty list means that the registry has answered and knows no healthy instance. Resolves
   * once `signal` has aborted. Never rejects.
   */
  watch(
    service: string,
    onInstances: (instances: readonly Instance[]) => void,
    onError: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<void>
}

/** Calls `read` in a loop, with a pause of `pauseMs` after each call, until `signal` aborts. */
export async function poll(
  read: () => Promise<readonly Instance[]>,
  pauseMs: number,
  ...[, onInstances, onError, signal]: Parameters<Watch['watch']>
): Promise<void> {
  while (!signal.aborted) {
    try {
      const instances = await read()
      if (!signal.aborted) onInstances(instances)
    } catch (error) {
      if (!signal.aborted) onError(error as Error)
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
  }
}

/** Parses the body of a response. @throws an error that quotes no part of the body */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Error('response is not JSON')
  }
}

/** Returns the value if it is an object. Otherwise returns an empty one, so that its properties are undefined. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** Returns a text, or an empty one: an instance with an empty host is invalid. */
export const asText = (value: unknown) => (typeof value === 'string' ? value : '')

/** Returns a number, or NaN: an instance with such a port is invalid. Eureka also writes numbers as texts. */
export function asNumber(value: unknown): number {
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value)
  return typeof value === 'number' ? value : Number.NaN
}
