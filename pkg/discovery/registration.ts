import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Backoff,
  backoff,
  confirm,
  fail,
  nextOperation,
  type Operation,
  UNREGISTERED,
} from './registration-state.ts'
import type { Registry, ServiceInstance } from './registry.ts'

export type RegistrationEvent =
  /** `isAgain`: the registry had confirmed an earlier registration of this process. */
  | { readonly type: 'registered'; readonly instance: ServiceInstance; readonly isAgain: boolean }
  /** The registry has confirmed that clients should use the instance, or should not. */
  | { readonly type: 'in service' | 'out of service' | 'deregistered'; readonly instance: ServiceInstance }
  /** The registry has no entry of a registered instance. */
  | { readonly type: 'forgotten'; readonly instance: ServiceInstance }
  /** The first failure, and each failure whose cause differs from the cause before. */
  | { readonly type: 'failing' | 'not deregistered'; readonly error: unknown }

type Result = 'ok' | 'unknown' | 'fail'

export interface RegistrationOptions {
  readonly registry: Omit<Registry, 'watch'>
  /** Returns the instance. Called before each registration, because the address of a machine may change. */
  readonly locate: () => Promise<Omit<ServiceInstance, 'isReady'>>
  readonly isReady: () => boolean
  readonly onEvent: (event: RegistrationEvent) => void
  /** Called after each call to the registry. @default no measurement */
  readonly onCall?: (operation: Operation | 'deregister', result: Result) => void
  /** Interval at which `isReady` is checked, in milliseconds. @default 200 */
  readonly pollMs?: number
  /** @default 250 to 5_000 ms */
  readonly backoff?: Backoff
  /** Longest stop, in milliseconds. @default 2_000 */
  readonly stopTimeoutMs?: number
}

/**
 * Keeps one instance in a registry: registers it when it is ready for the first time, renews it, follows its readiness,
 * and registers it again when the registry has lost it. After a failure, calls the registry again after a backoff. No
 * failure reaches the caller.
 */
export function createRegistration(options: RegistrationOptions) {
  const { registry, locate, isReady, onEvent, onCall = () => {}, pollMs = 200, stopTimeoutMs = 2_000 } = options
  const { backoff: limits = { minMs: 250, maxMs: 5_000 } } = options
  const stopping = new AbortController()
  /** Aborts the calls in progress when the stop has reached its limit. */
  const stopLimit = new AbortController()
  let state = UNREGISTERED
  let instance: ServiceInstance | undefined
  /** The instance of the latest successful registration. */
  let confirmed: ServiceInstance | undefined
  /** The latest registration, which may be in progress. */
  let registering: Promise<void> | undefined
  let lastError: unknown
  let stopped: Promise<void> | undefined

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const ready = isReady()
      const operation = nextOperation(state, ready, performance.now())
      if (operation === undefined) await sleep(pollMs, undefined, { signal: stopping.signal }).catch(() => {})
      else await attempt(operation, ready)
    }
  }

  async function attempt(operation: Operation, isReady: boolean): Promise<void> {
    try {
      if (operation === 'renew' && instance !== undefined) await renew(instance)
      else await register(isReady)
      lastError = undefined
    } catch (error) {
      state = fail(state, performance.now() + backoff(state.failures + 1, limits, Math.random))
      // The stop may have ended the call.
      if (stopping.signal.aborted) return
      onCall(operation, 'fail')
      const isNew = describeCause(error) !== describeCause(lastError)
      lastError = error
      if (isNew) onEvent({ type: 'failing', error })
    }
  }

  async function register(isReady: boolean): Promise<void> {
    const wasRegistered = state.announced !== undefined
    const registered = { ...(await locate()), isReady }
    // Do not register when the stop has begun during the look-up.
    stopping.signal.throwIfAborted()
    instance = registered
    state = { ...state, mayHaveEntry: true }
    registering = registry.register(registered, stopLimit.signal)
    await registering
    onCall('register', 'ok')
    state = confirm(isReady, performance.now() + registry.renewIntervalMs)
    if (wasRegistered) onEvent({ type: isReady ? 'in service' : 'out of service', instance })
    else onEvent({ type: 'registered', instance, isAgain: confirmed !== undefined })
    const previous = confirmed
    confirmed = registered
    if (previous === undefined || previous.id === registered.id) return
    // The address of the machine has changed. The old entry would stay until it expires.
    await registry.deregister(previous, stopLimit.signal).catch(() => {})
  }

  async function renew(instance: ServiceInstance): Promise<void> {
    // A stop ends the renewal at once: otherwise a renewal that hangs would use up the time of the deregistration.
    const result = await registry.renew(instance, stopping.signal)
    onCall('renew', result === 'renewed' ? 'ok' : 'unknown')
    if (result === 'renewed') {
      state = confirm(instance.isReady, performance.now() + registry.renewIntervalMs)
      return
    }
    state = UNREGISTERED
    onEvent({ type: 'forgotten', instance })
  }

  async function end(): Promise<void> {
    stopping.abort(new Error('stopping'))
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      stopLimit.abort(new Error(`no response within ${stopTimeoutMs} ms`))
      late.resolve()
    }, stopTimeoutMs)
    try {
      // A registration in progress must not arrive after the deregistration.
      await Promise.race([registering?.catch(() => {}), late.promise])
      if (state.mayHaveEntry && instance !== undefined) await deregister(instance)
    } finally {
      clearTimeout(timer)
    }
  }

  async function deregister(instance: ServiceInstance): Promise<void> {
    for (let isRetry = false; ; isRetry = true) {
      try {
        await registry.deregister(instance, stopLimit.signal)
        onCall('deregister', 'ok')
        state = UNREGISTERED
        onEvent({ type: 'deregistered', instance })
        return
      } catch (error) {
        onCall('deregister', 'fail')
        // The registry may have closed an idle connection at this moment.
        if (!isRetry && !stopLimit.signal.aborted) continue
        onEvent({ type: 'not deregistered', error })
        return
      }
    }
  }

  return {
    start: () => void run(),
    /** Deregisters the instance. Resolves when the registry confirms it, or after `stopTimeoutMs`. Never rejects. */
    stop(): Promise<void> {
      stopped ??= end()
      return stopped
    },
    /** `lastError` is the failure of the last call, if it failed. */
    report: () => ({ isRegistered: state.announced !== undefined, lastError }),
  }
}

/** Returns a text that differs for failures with different causes. */
function describeCause(error: unknown): string {
  if (!Error.isError(error)) return ''
  const { name, code, status } = error as { name: string; code?: unknown; status?: unknown }
  return [name, code, status].join(' ')
}
