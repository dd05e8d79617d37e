import { type Endpoint, union } from './endpoints.ts'

export interface HoldOptions {
  /** How long removals wait after the registry was lost or empty, in milliseconds. */
  readonly graceMs: number
  /** Whether an empty list of the registry becomes the list of the proxy, after `graceMs`. */
  readonly allowEmpty: boolean
}

/** Decides which list the proxy gets. Immutable. */
export interface Hold {
  /** The list of the proxy. Undefined while no list is known. */
  readonly published: readonly Endpoint[] | undefined
  /** The last list of the registry. Undefined before its first response. */
  readonly latest: readonly Endpoint[] | undefined
  /** The registry has not responded since its last failure, or since the start. */
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

/** The registry has failed. The proxy keeps its list. */
export const onFailure = (hold: Hold): Hold => ({ ...hold, isLost: true })

/**
 * The registry has responded with a list. A registry that has returned after a failure, or that becomes empty or stops
 * being empty, may have lost its data: its instances need time to register again.
 */
export function onList(hold: Hold, latest: readonly Endpoint[], now: number, options: HoldOptions): Hold {
  const wasEmpty = hold.latest?.length === 0
  const isSuspect = hold.isLost || wasEmpty !== (latest.length === 0)
  // Without a list, the proxy has nothing to keep.
  const until = isSuspect && hold.published !== undefined ? now + options.graceMs : hold.until
  return decide({ ...hold, latest, isLost: false, until }, now, options)
}

/** Time has passed. */
export function decide(hold: Hold, now: number, { allowEmpty }: HoldOptions): Hold {
  const { published, latest, isLost, until } = hold
  if (isLost || latest === undefined || (latest.length === 0 && !allowEmpty)) return hold
  return { ...hold, published: published !== undefined && now < until ? union(latest, published) : latest }
}

/** Whether the proxy has endpoints that are going to be removed at `until`, unless they register again. */
export const isHolding = ({ published, latest, isLost, until }: Hold, now: number, { allowEmpty }: HoldOptions) =>
  !isLost &&
  now < until &&
  published !== undefined &&
  latest !== undefined &&
  (latest.length > 0 || allowEmpty) &&
  published.length > latest.length
