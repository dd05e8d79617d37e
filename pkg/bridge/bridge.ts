import { type Endpoint, type Instance, isSame, readEndpoints, subtract } from './endpoints.ts'
import { decide, type Hold, type HoldOptions, isHolding, onFailure, onList, startHold } from './hold.ts'
import { createPublisher, type Sink } from './publisher.ts'
import type { StateFile } from './state-file.ts'

/** Watches the instances of a service in a registry. Resolves once `signal` has aborted. Never rejects. */
export type Watch = (
  onInstances: (instances: readonly Instance[]) => void,
  onError: (error: Error) => void,
  signal: AbortSignal,
) => Promise<void>

export type BridgeEvent =
  /** The registry fails, and the proxy keeps its list. Reported once for each kind of error in an outage. */
  | { readonly type: 'registry lost'; readonly error: Error }
  | { readonly type: 'registry back' }
  /** The registry lists no valid instance, and the proxy keeps its list. */
  | { readonly type: 'registry empty' }
  /** The proxy keeps endpoints that the registry no longer lists, for at most `graceMs`. */
  | { readonly type: 'removals held'; readonly endpoints: readonly string[] }
  | {
      readonly type: 'instances changed'
      readonly added: readonly string[]
      readonly removed: readonly string[]
      readonly count: number
    }
  /** Instances without a valid address and port. The proxy does not get them. */
  | { readonly type: 'instances invalid'; readonly instances: readonly string[] }
  | { readonly type: 'proxy not updated' | 'list not saved' | 'list not read'; readonly error: Error }
  | { readonly type: 'proxy updated again' | 'list saved again' }

export interface BridgeOptions extends HoldOptions {
  readonly watch: Watch
  readonly sink: Sink
  readonly state: StateFile
  /** Called once for each change. */
  readonly onEvent: (event: BridgeEvent) => void
  /** Pause after a failed publication, in milliseconds. @default 2_000 */
  readonly retryMs?: number
}

/** Keeps a proxy's list of instances equal to a registry's. */
export function createBridge(options: BridgeOptions) {
  const { watch, sink, state, onEvent, retryMs = 2_000 } = options
  const end = new AbortController()
  const proxy = createPublisher({
    sink,
    retryMs,
    onFailure: (error) => onEvent({ type: 'proxy not updated', error }),
    onRecovery: () => onEvent({ type: 'proxy updated again' }),
  })
  const file = createPublisher({
    sink: state,
    retryMs,
    onFailure: (error) => onEvent({ type: 'list not saved', error }),
    onRecovery: () => onEvent({ type: 'list saved again' }),
  })
  let hold = startHold(undefined)
  let watching: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  /** The kinds of errors since the last response. */
  const failures = new Set<string>()
  let isEmpty = false
  let invalid = ''

  /** @param time the time of the decision `next`. Removals that are held at this time get a timer. */
  function apply(next: Hold, time: number): void {
    const { published = [] } = hold
    const wasHolding = timer !== undefined
    hold = next
    clearTimeout(timer)
    timer = undefined
    if (next.published === undefined) return
    if (!isSame(published, next.published)) report(published, next.published)
    proxy.set(next.published)
    file.set(next.published)
    if (!isHolding(next, time, options)) return
    const endpoints = subtract(next.published, next.latest ?? [])
    if (!wasHolding) onEvent({ type: 'removals held', endpoints })
    // A timer may fire a little early.
    timer = setTimeout(expire, Math.max(1, next.until - performance.now() + 1))
  }

  function expire(): void {
    const time = performance.now()
    apply(decide(hold, time, options), time)
  }

  function report(before: readonly Endpoint[], after: readonly Endpoint[]): void {
    const [added, removed] = [subtract(after, before), subtract(before, after)]
    onEvent({ type: 'instances changed', added, removed, count: after.length })
  }

  function onInstances(instances: readonly Instance[]): void {
    const list = readEndpoints(instances)
    if (failures.size > 0) onEvent({ type: 'registry back' })
    failures.clear()
    const names = list.invalid.join()
    if (names !== invalid && names !== '') onEvent({ type: 'instances invalid', instances: list.invalid })
    invalid = names
    const wasEmpty = isEmpty
    isEmpty = list.endpoints.length === 0
    if (isEmpty && !wasEmpty && !options.allowEmpty) onEvent({ type: 'registry empty' })
    const time = performance.now()
    apply(onList(hold, list.endpoints, time, options), time)
  }

  function onError(error: Error): void {
    const kind = describeKind(error)
    if (!failures.has(kind)) onEvent({ type: 'registry lost', error })
    failures.add(kind)
    apply(onFailure(hold), performance.now())
  }

  return {
    /** Publishes the last good list, and then follows the registry. */
    async start(): Promise<void> {
      const saved = await state.read().catch((error: Error) => onEvent({ type: 'list not read', error }))
      if (saved && (saved.length > 0 || options.allowEmpty)) apply(startHold(saved), performance.now())
      watching = watch(onInstances, onError, end.signal)
    },
    /** Resolves once the publications in progress have ended. The proxy keeps its list. */
    async stop(): Promise<void> {
      end.abort()
      clearTimeout(timer)
      await Promise.all([watching, proxy.stop(), file.stop()])
    },
  }
}

/** Returns a text for errors of the same kind. Messages are not compared, because a response may contain the time. */
function describeKind(error: Error): string {
  const { name, code, status } = error as Error & { code?: string; status?: number }
  return `${name} ${code ?? ''} ${status ?? ''}`
}
