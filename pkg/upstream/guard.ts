import { bulkhead, CircuitState, circuitBreaker, handleWhen, type IBreaker } from 'cockatiel'

/** `half-open`: one request is on trial. `isolated`: an operator has opened the breaker. */
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated'

export type RejectReason = 'breaker' | 'concurrency'

/** The guard did not start the call. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError'
  readonly reason: RejectReason

  constructor(reason: RejectReason) {
    super(reason === 'breaker' ? 'the circuit is open' : 'too many calls are in progress')
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

const LONGEST_MS = Math.max(...WINDOWS.map(({ ms }) => ms))

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

/** Length of a slice of a window, in milliseconds. A slice leaves its window as a whole. */
const SLICE_MS = 100

/**
 * Counts calls in sliding windows. cockatiel's SamplingBreaker drops at most one slice with each call, so after a pause
 * it would count calls from before its window. It also reads the wall clock, which may step back.
 */
function createWindows(now: () => number): IBreaker {
  let slices: { readonly at: number; calls: number; failures: number }[] = []

  const findRecent = (ms: number, time = now()) => slices.filter(({ at }) => time - at < ms)

  function count(failures: 0 | 1): void {
    const latest = slices.at(-1)
    if (latest !== undefined && now() - latest.at < SLICE_MS) {
      latest.calls++
      latest.failures += failures
    } else slices = [...findRecent(LONGEST_MS), { at: now(), calls: 1, failures }]
  }

  return {
    // cockatiel reads the state only to serialize a breaker.
    state: undefined,
    success(state) {
      if (state === CircuitState.HalfOpen) slices = []
      count(0)
    },
    failure() {
      count(1)
      return WINDOWS.some(({ ms, minCalls, maxErrorRate }) => {
        const recent = findRecent(ms)
        const calls = recent.reduce((sum, slice) => sum + slice.calls, 0)
        const failures = recent.reduce((sum, slice) => sum + slice.failures, 0)
        return calls >= minCalls && failures > maxErrorRate * calls
      })
    },
  }
}

/**
 * Creates the circuit breaker and the bulkhead of an upstream. After the cool-down, the circuit stays open until the
 * caller has probed the upstream and calls `allowTrial`. Then one request is on trial. The guard rejects other requests
 * at once instead of letting them wait for the end of the trial.
 */
export function createGuard({ concurrency, isFailure, onState, now = () => performance.now() }: GuardOptions) {
  /** The errors that count against the upstream. */
  const failures = new WeakSet<Error>()
  const breaker = circuitBreaker(
    handleWhen((error) => failures.has(error as Error)),
    // `needsProbe` measures the cool-down. cockatiel would measure it by the wall clock, which may step back.
    { halfOpenAfter: Number.NEGATIVE_INFINITY, breaker: createWindows(now) },
  )
  const slots = bulkhead(concurrency)
  let openedAt = 0
  let isTrialAllowed = false
  let isolation: { dispose(): void } | undefined
  /** Number of changes of the state. A failure counts only in the state in which its call began. */
  let changes = 0

  breaker.onStateChange((state) => {
    changes++
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
      const isTrial = breaker.state === CircuitState.Open && isTrialAllowed
      if (breaker.state !== CircuitState.Closed && !isTrial) throw new RejectedError('breaker')
      if (slots.executionSlots <= concurrency * (1 - share)) throw new RejectedError('concurrency')
      async function counted(): Promise<T> {
        const before = changes
        try {
          return await work()
        } catch (error) {
          // Otherwise the late timeouts of an outage would open the circuit again after a successful trial.
          if (changes === before && isFailure(error, isTrial)) failures.add(error as Error)
          throw error
        }
      }
      return slots.execute(() => breaker.execute(counted))
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
