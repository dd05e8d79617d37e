/** The state of the registration, as far as this process knows it. Times are monotonic, in milliseconds. */
export interface RegistrationState {
  /** True from the first call that registers. The registry may have the entry even when the call got no response. */
  readonly mayHaveEntry: boolean
  /** The readiness that the registry has confirmed last. Undefined after a failure, because the entry may be lost. */
  readonly announced: boolean | undefined
  /** Number of consecutive failures. */
  readonly failures: number
  /** Time of the next renewal, or of the next attempt after a failure. */
  readonly dueAt: number
}

export type Operation = 'register' | 'renew'

/** State of a process that has never been ready. */
export const UNREGISTERED: RegistrationState = { mayHaveEntry: false, announced: undefined, failures: 0, dueAt: 0 }

/** Returns the operation that is necessary now, if any. */
export function nextOperation(state: RegistrationState, isReady: boolean, now: number): Operation | undefined {
  if (state.failures > 0 && now < state.dueAt) return undefined
  // An instance that has never been ready is not registered. Clients could use it too early.
  if (!state.mayHaveEntry) return isReady ? 'register' : undefined
  if (state.announced !== isReady) return 'register'
  return now >= state.dueAt ? 'renew' : undefined
}

/** Returns the state after the registry has confirmed an operation for an instance with this readiness. */
export const confirm = (isReady: boolean, dueAt: number): RegistrationState => ({
  mayHaveEntry: true,
  announced: isReady,
  failures: 0,
  dueAt,
})

/**
 * Returns the state after a failure. The next operation registers the instance again instead of renewing it, because a
 * registry that has been away may have lost its entries.
 */
export const fail = (state: RegistrationState, dueAt: number): RegistrationState => ({
  ...state,
  announced: undefined,
  failures: state.failures + 1,
  dueAt,
})

export interface Backoff {
  /** Longest first wait, in milliseconds. */
  readonly minMs: number
  /** Longest wait, in milliseconds. */
  readonly maxMs: number
}

/**
 * Returns the wait after this number of consecutive failures: the limit doubles with each failure, and the wait is a
 * random time in the upper half of the limit. Otherwise all instances would reach a restarted registry at the same time.
 */
export function backoff(failures: number, { minMs, maxMs }: Backoff, random: () => number): number {
  const limit = Math.min(maxMs, minMs * 2 ** (failures - 1))
  return (limit * (1 + random())) / 2
}
