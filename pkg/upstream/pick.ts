import { type Candidate, computeCost, findMedianLatency } from './load.ts'

/** A number from 0 inclusive to 1 exclusive. */
export type Random = () => number

/**
 * Returns the cheaper of two random candidates ("power of two choices"). The cheapest of all candidates would attract
 * every client at the same time. The cheaper of two spreads the load and still avoids a slow instance. Mitzenmacher,
 * "The power of two choices in randomized load balancing", https://doi.org/10.1109/71.963420
 */
export function pick<C extends Candidate>(candidates: readonly C[], random: Random, now: number): C | undefined {
  if (candidates.length < 2) return candidates[0]
  const first = Math.floor(random() * candidates.length)
  // The offset is at least 1, so the two candidates differ.
  const offset = 1 + Math.floor(random() * (candidates.length - 1))
  const a = candidates[first] as C
  const b = candidates[(first + offset) % candidates.length] as C
  const isKnown = a.load.latencyMs !== undefined && b.load.latencyMs !== undefined
  const unknownMs = isKnown ? 0 : findMedianLatency(candidates)
  return computeCost(b, now, unknownMs) < computeCost(a, now, unknownMs) ? b : a
}
