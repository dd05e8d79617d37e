/** Priorities in the order in which waiting operations get connections. */
export const PRIORITIES = ['core', 'normal', 'background'] as const
export type Priority = (typeof PRIORITIES)[number]

/**
 * The share of the pool that the operations of a priority may hold, so that operations of a higher priority find a
 * connection.
 */
const SHARES: Readonly<Record<Priority, number>> = { core: 1, normal: 0.6, background: 0.2 }

/**
 * Returns the number of connections that the operations of a priority may hold.
 *
 * @param hasCore whether the service has core operations. Without core operations, the pool reserves no connections
 */
export function findMaxHeld(priority: Priority, poolMax: number, hasCore: boolean): number {
  if (priority === 'normal' && !hasCore) return poolMax
  return Math.max(1, Math.floor(SHARES[priority] * poolMax))
}
