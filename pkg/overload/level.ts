import { type Priority, RANKS, rankOf } from './priority.ts'

/**
 * An overloaded window sets the limit below the capacity by this share, which drains 20 ms of waiting work in a second.
 * DAGOR takes off 5 % (α, https://arxiv.org/abs/1806.04075 §4.2), because it does not know the capacity.
 */
const DECREASE = 0.02
/**
 * The event loop has time for every request when the incoming requests would keep it busy for at most this share of the
 * time. Then it is not overloaded: requests wait for long handlers, or for a core that other processes use, and
 * refusals would not shorten these waits.
 */
const CALM = 0.8
/** Seconds of refusals that begin a brownout. */
export const BROWNOUT_AFTER_S = 5

/** The requests that may pass. */
export interface Level {
  /** Requests in a second. Infinity: every request may pass. */
  readonly limit: number
  /** Requests of lower ranks pass, and requests of higher ranks are refused. */
  readonly cut: number
  /** The share of the requests of the rank `cut` that pass. */
  readonly share: number
  /** True when sustained overload has switched the background operations off. */
  readonly isBrownout: boolean
  /** Time for which the limit has been below the incoming requests, in seconds. */
  readonly pressedS: number
  /** Busy time of the event loop for one request, in seconds. */
  readonly costS: number
}

/** The requests of a window of time. */
export interface Window {
  readonly seconds: number
  /** The share of the window in which the event loop was busy. */
  readonly busy: number
  /** Average time that requests waited until their handler ran or until the service gave them up, in milliseconds. */
  readonly averageWaitMs: number
  /** Requests that arrived. */
  readonly incoming: number
  /** Requests whose handler ran. The queue may hold further requests, or requests of the previous window. */
  readonly served: number
  /** Numbers of requests by rank, from a sample of the incoming requests. */
  readonly ranks: ArrayLike<number>
}

export const OPEN: Level = { limit: Infinity, cut: RANKS, share: 0, isBrownout: false, pressedS: 0, costS: 0 }

/**
 * Decides about one request. `chance` is a random number from 0 to 1. It decides only for the rank at the limit, where
 * one caller may send most of the requests.
 */
export function admits(level: Level, priority: Priority, bucket: number, chance: number): boolean {
  if (level.isBrownout && priority === 'background') return false
  const rank = rankOf(priority, bucket)
  return rank < level.cut || (rank === level.cut && chance < level.share)
}

/**
 * Returns the level for the next window:
 *
 *     capacity = served requests / busy time of the event loop
 *     limit    = 0.98 × capacity   after an overloaded window, whose requests waited for more than `maxWaitMs` on average
 *                capacity          after any later window, until the incoming requests are at most 0.8 × capacity
 *
 * DAGOR does not know the capacity and searches for it in steps of a hundredth (β), which takes a minute. The busy time
 * includes the time of the refusals, so the capacity is what remains beside them.
 */
export function nextLevel(level: Level, window: Window, maxWaitMs: number): Level {
  const { seconds, busy, incoming, served } = window
  const costS = served > 0 ? (busy * seconds) / served : level.costS
  const capacity = 1 / costS
  const isOverloaded = window.averageWaitMs > maxWaitMs
  const isLimited = isOverloaded || level.limit !== Infinity
  if (!isLimited || incoming / seconds <= CALM * capacity) return { ...OPEN, costS }

  const limit = isOverloaded ? (1 - DECREASE) * capacity : capacity
  const pressedS = limit * seconds < incoming ? level.pressedS + seconds : 0
  const isBrownout = level.isBrownout || pressedS >= BROWNOUT_AFTER_S
  return { limit, ...findCut(window, limit), isBrownout, pressedS, costS }
}

/** Finds the rank at which the requests of the window would have reached the limit. */
function findCut({ seconds, incoming, ranks }: Window, limit: number): Pick<Level, 'cut' | 'share'> {
  const counts = Array.from(ranks)
  const sampled = counts.reduce((sum, count) => sum + count, 0)
  const target = limit * seconds * (sampled / incoming)
  let sum = 0
  for (const [cut, count] of counts.entries()) {
    if (sum + count > target) return { cut, share: (target - sum) / count }
    sum += count
  }
  return { cut: RANKS, share: 0 }
}
