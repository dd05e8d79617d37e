import { type Priority, RANKS, rankOf } from './priority.ts'

/**
 * An overloaded window sets the limit below its served requests by this share: α of DAGOR,
 * https://arxiv.org/abs/1806.04075 §4.2.
 */
const DECREASE = 0.05
/** Any other window raises the limit by this share of its incoming requests: β of DAGOR. */
const INCREASE = 0.01
/**
 * The limit ends when the event loop would be busy for less than this share of the time. DAGOR only adds β, so recovery
 * takes a minute after an overload or a stall of the machine.
 */
const CALM = 0.8
/**
 * An event loop that is busy for less than this share of the time is not overloaded. Its requests wait for long
 * handlers, or for a core that other processes use. Refusing requests would not shorten these waits.
 */
const MIN_BUSY = 0.7
/** Seconds of overload or of refusals that begin a brownout. */
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
  /** Time for which the service has been overloaded or has refused requests, in seconds. */
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
  /** Requests that were not refused on arrival. */
  readonly admitted: number
  /** Admitted requests that were given up because they had waited too long. */
  readonly expired: number
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
 * Returns the level for the next window. An overloaded window, whose requests waited for more than `maxWaitMs` on average,
 * lowers the limit. Any other window raises it, or ends it when the event loop has time for every incoming request.
 */
export function nextLevel(level: Level, window: Window, maxWaitMs: number): Level {
  const { seconds, busy, incoming, admitted, expired } = window
  const served = admitted - expired
  const costS = served > 0 ? (busy * seconds) / served : level.costS
  const isOverloaded = window.averageWaitMs > maxWaitMs && busy >= MIN_BUSY
  const calmLimit = CALM / costS
  if (!isOverloaded && incoming / seconds <= calmLimit) return { ...OPEN, costS }

  const limit = isOverloaded
    ? ((1 - DECREASE) * served) / seconds
    : Math.max(level.limit + (INCREASE * incoming) / seconds, calmLimit)
  const isPressed = isOverloaded || limit * seconds < incoming
  const pressedS = isPressed ? level.pressedS + seconds : 0
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
