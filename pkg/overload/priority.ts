/** The order in which an overloaded service refuses requests: background first, core last. */
export const PRIORITIES = ['core', 'normal', 'background'] as const
export type Priority = (typeof PRIORITIES)[number]

/** Callers of one priority are spread over this many buckets. */
export const BUCKETS = 128

/** Ranks in the order of admission: the buckets of core, then those of normal, then those of background. */
export const RANKS = PRIORITIES.length * BUCKETS

const FIRST_RANKS: Readonly<Record<Priority, number>> = { core: 0, normal: BUCKETS, background: 2 * BUCKETS }

export const rankOf = (priority: Priority, bucket: number): number => FIRST_RANKS[priority] + bucket

/**
 * Returns the bucket of a caller. The same caller keeps its bucket for one `period`, so a retry of a refused request is
 * refused too. All instances agree, so another instance refuses the retry as well.
 */
export function findBucket(caller: string, period: number): number {
  // FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/
  let hash = 0x811c9dc5 ^ period
  for (let index = 0; index < caller.length; index++) hash = Math.imul(hash ^ caller.charCodeAt(index), 0x01000193)
  // The lowest bits of FNV-1a depend on the lowest bits of the text only.
  return ((hash ^ (hash >>> 15)) >>> 0) % BUCKETS
}
