/** The order in which an overloaded service refuses requests: background first, core last. */
export const PRIORITIES = ['core', 'normal', 'background'] as const
export type Priority = (typeof PRIORITIES)[number]

/** Number of buckets for the callers of a priority. */
export const BUCKETS = 128

/** Number of ranks. In the order of admission: the buckets of core, of normal, and of background. */
export const RANKS = PRIORITIES.length * BUCKETS

const FIRST_RANKS: Readonly<Record<Priority, number>> = { core: 0, normal: BUCKETS, background: 2 * BUCKETS }

export const rankOf = (priority: Priority, bucket: number): number => FIRST_RANKS[priority] + bucket

/**
 * Returns the bucket of a caller. A caller keeps its bucket for one `period`, on every instance, so each instance
 * refuses the retries of a refused caller.
 */
export function findBucket(caller: string, period: number): number {
  // FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/
  let hash = 0x811c9dc5 ^ period
  for (let index = 0; index < caller.length; index++) hash = Math.imul(hash ^ caller.charCodeAt(index), 0x01000193)
  // The lowest bits of FNV-1a depend only on the lowest bits of the text.
  return ((hash ^ (hash >>> 15)) >>> 0) % BUCKETS
}
