import type { Config } from './env.ts'

/** Connections of the health check, in addition to the pool. */
const HEALTH_CHECK = 1

/** Describes how many connections PostgreSQL must allow, or returns undefined when the service has no database. */
export function describeConnections({
  DATABASE_URL: url,
  DATABASE_POOL_MAX: pool,
}: Pick<Config, 'DATABASE_URL' | 'DATABASE_POOL_MAX'>): string | undefined {
  if (url === undefined) return undefined
  return `PostgreSQL connections: ${pool + HEALTH_CHECK} for each instance (${pool} of DATABASE_POOL_MAX, ${HEALTH_CHECK} of the health check).
max_connections must be at least: instances × ${pool + HEALTH_CHECK}, with the old and the new instances of a roll-out, + 1 for app migrate, + 3 that PostgreSQL reserves.`
}
