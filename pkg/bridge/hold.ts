import { type Endpoint, union } from './endpoints.ts'

export interface HoldOptions {
  /** Delay of removals after the registry was lost or empty, in milliseconds. */
  readonly graceMs: number
  /** True: an empty list of the registry empties the proxy after `graceMs`. */
  readonly allowEmpty: boolean
}

/** Decides which list the proxy gets. Immutable. */
export interface Hold {
  /** The list of the proxy. Undefined while no list is known. */
  readonly published: readonly Endpoint[] | undefined
  /** The last list of the registry. Undefined before its first response. */
  readonly latest: readonly Endpoint[] | undefined
  /** True from the start, and from each failure of the registry, until its next response. */
  readonly isLost: boolean
  /** Removals wait until this time. */
  readonly until: number
}

/** @param saved the last good list of an earlier process */
export const startHold = (saved: readonly Endpoint[] | undefined): Hold => ({
  published: saved,
  latest: undefined,
  isLost: true,
  until: Number.NEGATIVE_INFINITY,
})

/** Returns the state after a failure of the registry. The proxy keeps its list. */
export const onFailure = (hold: Hold): Hold => ({ ...hold, isLost: true })

/**
 * Returns the state after a list of the registry. The registry may have lost its data when it returns after a failure,
 * becomes empty or stops being empty. Its instances then need time to register again.
 */
export function onList(hold: Hold, latest: readonly Endpoint[], now: number, options: HoldOptions): Hold {
  const wasEmpty = hold.latest?.length === 0
  const isSuspect = hold.isLost || wasEmpty !== (latest.length === 0)
  // Without a list, the proxy has nothing to keep.
  const until = isSuspect && hold.published !== undefined ? now + options.graceMs : hold.until
  return decide({ ...hold, latest, isLost: false, until }, now, options)
}

/** Returns the state at the time `now`, after which removals may no longer have to wait. */
export function decide(hold: Hold, now: number, { allowEmpty }: HoldOptions): Hold {
  const { published, latest, isLost, until } = hold
  if (isLost || latest === undefined || (latest.length === 0 && !allowEmpty)) return hold
  return { ...hold, published: published !== undefined && now < until ? union(latest, published) : latest }
}

/** Returns true while endpoints wait for their removal at `until`. An endpoint that registers again stays. */
export const isHolding = ({ published, latest, isLost, until }: Hold, now: number, { allowEmpty }: HoldOptions) =>
  !isLost &&
  now < until &&
  published !== undefined &&
  latest !== undefined &&
  (latest.length > 0 || allowEmpty) &&
  published.length > latest.length
