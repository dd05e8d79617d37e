import { setTimeout as sleep } from 'node:timers/promises'
import { type Endpoint, isSame } from './endpoints.ts'

/** A target of lists: a proxy, or the file with the last good list. */
export interface Sink {
  /** Makes the target use these endpoints only. Has a time limit. Rejects when the target keeps its previous list. */
  publish(endpoints: readonly Endpoint[]): Promise<void>
  /** Shortest time between two calls of `publish`, in milliseconds. @default 0 */
  readonly pauseMs?: number
  /** Interval of publications of the same list, for a target that may lose it, in milliseconds. @default never */
  readonly refreshMs?: number
}

export interface PublisherOptions {
  readonly sink: Pick<Sink, 'publish' | 'pauseMs' | 'refreshMs'>
  /** Pause after a failure, in milliseconds. */
  readonly retryMs: number
  /** Called once for successive failures with the same message. */
  readonly onFailure: (error: Error) => void
  /** Called when the sink works again after a failure. */
  readonly onRecovery: () => void
}

/** Publishes the latest list, one at a time, and repeats until the sink accepts it. */
export function createPublisher({ sink, retryMs, onFailure, onRecovery }: PublisherOptions) {
  const { pauseMs = 0, refreshMs } = sink
  const stop = new AbortController()
  let wanted: readonly Endpoint[] = []
  let changed = Promise.withResolvers<void>()
  let failure: string | undefined
  /** Undefined before the first list. */
  let running: Promise<void> | undefined

  /** Returns after `ms`, or once the publisher stops. */
  const pause = (ms: number) => sleep(ms, undefined, { signal: stop.signal }).catch(() => {})

  const waitForChange = () =>
    refreshMs === undefined ? changed.promise : Promise.race([changed.promise, pause(refreshMs)])

  async function publish(endpoints: readonly Endpoint[]): Promise<boolean> {
    try {
      await sink.publish(endpoints)
    } catch (error) {
      const { message } = error as Error
      if (message !== failure) onFailure(error as Error)
      failure = message
      return false
    }
    if (failure !== undefined) onRecovery()
    failure = undefined
    return true
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      changed = Promise.withResolvers()
      const isPublished = await publish(wanted)
      // A target with refreshes may have restarted without its list, so the retry waits at most for the next refresh.
      await pause(isPublished ? pauseMs : Math.min(retryMs, refreshMs ?? retryMs))
      if (isPublished && !stop.signal.aborted) await waitForChange()
    }
  }

  return {
    /** Publishes the list, unless it is the list of the last call. */
    set(endpoints: readonly Endpoint[]): void {
      if (running !== undefined && isSame(wanted, endpoints)) return
      wanted = endpoints
      changed.resolve()
      running ??= run()
    },
    /** Resolves once the publication in progress has ended. */
    async stop(): Promise<void> {
      stop.abort()
      changed.resolve()
      await running
    },
  }
}
