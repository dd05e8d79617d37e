/**
 * The load of an instance as the client measures it. Every function is pure, so that a test can replay any history.
 *
 * The latency is a "peak" EWMA: it rises to a higher sample at once and falls to lower samples with time, because the
 * samples are unevenly spaced:
 *
 *     w = exp(-Δt / 10 s);  latency = sample > latency ? sample : w × latency + (1 - w) × sample
 *
 * Source of the formula and of the 10 s: Finagle's PeakEwma and its `decayTime`,
 * https://github.com/twitter/finagle/blob/develop/finagle-core/src/main/scala/com/twitter/finagle/loadbalancer/PeakEwma.scala
 * go-zero, tower and Envoy's Peak EWMA have the same 10 s.
 *
 * In Finagle, an idle instance becomes cheaper with time. Here only a probe of its `/health/ready` lowers the latency
 * of an idle instance, so no user's request tests whether the instance has recovered.
 */
export interface Load {
  /** Milliseconds. Undefined until the first sample. */
  readonly latencyMs: number | undefined
  /** Share of successes, from 0 to 1. */
  readonly success: number
  /** Time of the last sample of the latency, in milliseconds. */
  readonly sampledAt: number
}

export const UNKNOWN: Load = { latencyMs: undefined, success: 1, sampledAt: 0 }

export interface LoadSample {
  /**
   * Milliseconds. Undefined for a failure that says nothing about the latency: an instance that fails fast must not
   * look fast.
   */
  readonly latencyMs: number | undefined
  /** Undefined for a result that says nothing about the instance, such as a timeout of an impatient caller. */
  readonly ok: boolean | undefined
  readonly now: number
}

const DECAY_MS = 10_000

/**
 * The weight of one result in the share of successes: about the last ten results count. The share changes with each
 * result instead of with time. Otherwise an instance that fails fast, and so has few requests in flight, would attract
 * more requests until its share had fallen.
 */
const SUCCESS_WEIGHT = 0.1

export function observe(load: Load, { latencyMs, ok, now }: LoadSample): Load {
  const { success } = load
  return {
    ...(latencyMs === undefined ? load : { latencyMs: updateAverage(load, latencyMs, now), sampledAt: now }),
    success: ok === undefined ? success : success + SUCCESS_WEIGHT * (Number(ok) - success),
  }
}

function updateAverage({ latencyMs: previous, sampledAt }: Load, sample: number, now: number): number {
  if (previous === undefined || sample > previous) return sample
  const weight = Math.exp(-Math.max(0, now - sampledAt) / DECAY_MS)
  return weight * previous + (1 - weight) * sample
}

/**
 * Smallest share of successes in the cost. It limits the cost, so that new samples can make the instance usable again.
 */
const MIN_SUCCESS = 0.01

export interface Candidate {
  readonly load: Load
  readonly inFlight: number
  /** Start of the oldest request in flight, in milliseconds. */
  readonly oldestAt: number | undefined
}

/**
 * The expected wait of one more request, in milliseconds:
 *
 *     max(latency, age of the oldest request in flight) × (in flight + 1) / share of successes
 *
 * The age makes an instance expensive while it stalls: its latency changes only when a response arrives. The product
 * is Finagle's; the cost of an instance without samples is `unknownMs`.
 */
export function computeCost({ load, inFlight, oldestAt }: Candidate, now: number, unknownMs: number): number {
  const ageMs = oldestAt === undefined ? 0 : now - oldestAt
  return (Math.max(load.latencyMs ?? unknownMs, ageMs) * (inFlight + 1)) / Math.max(load.success, MIN_SUCCESS)
}

/** Returns the median latency, for instances without samples. */
export function findMedianLatency(candidates: readonly Candidate[]): number {
  const known = candidates.map(({ load }) => load.latencyMs).filter((latency) => latency !== undefined)
  known.sort((a, b) => a - b)
  return known[Math.floor(known.length / 2)] ?? 1
}
