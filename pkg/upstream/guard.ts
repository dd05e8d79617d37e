import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  circuitBreaker,
  handleWhen,
  type IBreaker,
  IsolatedCircuitError,
  SamplingBreaker,
} from 'cockatiel'

/** `half-open`: one request is on trial. `isolated`: an operator has opened the breaker. */
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated'

export type RejectReason = 'breaker' | 'concurrency'

/** The guard did not start the call. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError'
  readonly reason: RejectReason

  constructor(reason: RejectReason, options?: ErrorOptions) {
    super(reason === 'breaker' ? 'the circuit is open' : 'too many calls are in progress', options)
    this.reason = reason
  }
}

/**
 * The circuit opens when the calls of one window have failed too often. The long window has the defaults of Hystrix,
 * https://github.com/Netflix/Hystrix/wiki/Configuration (`requestVolumeThreshold`, `errorThresholdPercentage`,
 * `metrics.rollingStats`). On its own, it needs 10 s to notice that half of the calls of a busy service fail, because
 * the calls before the fault count too. The short window notices this within 1.5 s. It needs more calls, so that a few
 * failures by chance do not open the circuit.
 */
const WINDOWS = [
  { ms: 10_000, minCalls: 20, maxErrorRate: 0.5 },
  { ms: 1_500, minCalls: 40, maxErrorRate: 0.4 },
] as const

/** Time for which the circuit stays open. With the probe and the trial, an upstream is in use 5 s after its return. */
export const COOL_DOWN_MS = 4_000

export interface GuardOptions {
  /** Maximum number of calls in progress. There is no queue, because a waiting call would only use up its time. */
  readonly concurrency: number
  /**
   * Returns true for an error that counts against the upstream. For a trial, it should also return true for an error
   * that does not show whether the upstream works: a trial without a failure closes the circuit.
   */
  readonly isFailure: (error: unknown, isTrial: boolean) => boolean
  /** Called with each new state of the breaker. */
  readonly onState: (state: BreakerState) => void
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
}

const STATES: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'isolated',
}

/**
 * Counts calls in windows of cockatiel, which reads the wall clock. Discards the counts when the clock has stepped
 * back: otherwise the current windows would last until the clock has caught up.
 */
function createWindows(): IBreaker {
  const windows = WINDOWS.map(({ ms, minCalls, maxErrorRate }) => {
    const sampling = { threshold: maxErrorRate, duration: ms, minimumRps: minCalls / (ms / 1_000) }
    const window = new SamplingBreaker(sampling)
    return { window, empty: window.state }
  })
  let latest = 0
  function discardFutureCounts(): void {
    const now = Date.now()
    if (now < latest) for (const { window, empty } of windows) window.state = empty
    latest = now
  }
  return {
    // cockatiel reads the state only to serialize a breaker.
    state: undefined,
    success(state) {
      discardFutureCounts()
      for (const { window } of windows) window.success(state)
    },
    failure(state) {
      discardFutureCounts()
      // Every window must count the failure, even when the window before it opens the circuit.
      return windows.map(({ window }) => window.failure(state)).includes(true)
    },
  }
}

/**
 * Creates the circuit breaker and the bulkhead of an upstream. After the cool-down, the circuit stays open until the
 * caller has probed the upstream and calls `allowTrial`. Then one request is on trial. The guard rejects other requests
 * at once instead of letting them wait for the end of the trial.
 */
export function createGuard({ concurrency, isFailure, onState, now = () => performance.now() }: GuardOptions) {
  /** Tells the trial from an earlier call that ends during the trial. */
  let trialError: unknown
  const isCounted = (error: unknown) => isFailure(error, error === trialError)
  const breaker = circuitBreaker(handleWhen(isCounted), {
    // `needsProbe` measures the cool-down. cockatiel would measure it by the wall clock, which may step back.
    halfOpenAfter: Number.NEGATIVE_INFINITY,
    breaker: createWindows(),
  })
  const slots = bulkhead(concurrency)
  let openedAt = 0
  let isTrialAllowed = false
  let isolation: { dispose(): void } | undefined

  breaker.onStateChange((state) => {
    if (state === CircuitState.Open) openedAt = now()
    isTrialAllowed = false
    onState(STATES[state])
  })

  return {
    /**
     * Runs `work` and settles like it. @throws RejectedError without calling `work` when the circuit is open or the
     * calls in progress fill `share` of the bulkhead
     */
    async run<T>(work: () => Promise<T>, share = 1): Promise<T> {
      const { state } = breaker
      if (state === CircuitState.HalfOpen || (state === CircuitState.Open && !isTrialAllowed)) {
        throw new RejectedError('breaker')
      }
      if (slots.executionSlots <= concurrency * (1 - share)) throw new RejectedError('concurrency')
      const tryOut = () =>
        work().catch((error: unknown) => {
          trialError = error
          throw error
        })
      try {
        return await slots.execute(() => breaker.execute(state === CircuitState.Open ? tryOut : work))
      } catch (error) {
        if (error instanceof BulkheadRejectedError) throw new RejectedError('concurrency', { cause: error })
        if (error instanceof BrokenCircuitError || error instanceof IsolatedCircuitError) {
          throw new RejectedError('breaker', { cause: error })
        }
        throw error
      }
    },
    state: () => STATES[breaker.state],
    /** Returns the number of calls in progress. */
    inProgress: () => concurrency - slots.executionSlots,
    /** Returns true when the cool-down has ended. A probe then decides about a trial. */
    needsProbe: () => breaker.state === CircuitState.Open && !isTrialAllowed && now() - openedAt >= COOL_DOWN_MS,
    allowTrial() {
      isTrialAllowed = true
    },
    /** Holds the circuit open while `wanted` is true. */
    isolate(wanted: boolean) {
      if (wanted) isolation ??= breaker.isolate()
      else {
        isolation?.dispose()
        isolation = undefined
      }
    },
  }
}
