/** The use of one instance at its knee. A figure without a source is undefined. */
export interface InstanceUse {
  /** The knee of one instance, in requests per second. */
  readonly ratePerSecond: number
  /** CPU use in cores. */
  readonly cpu?: number
  readonly rssBytes?: number
  /** Mean time that a request holds a connection to the database, in milliseconds. */
  readonly connectionMs?: number
  /** Processor time of a request in the database, in milliseconds. */
  readonly databaseCpuMs?: number
}

export interface SizingOptions {
  /** Requests per second of all instances. */
  readonly target: number
  readonly use: InstanceUse
  /** Share of the knee that stays free after a zone is lost. @default 0.3 */
  readonly headroom?: number
  /** Zones with equal numbers of instances, one of which may fail. With 1, the sizing plans for no loss. @default 3 */
  readonly zones?: number
  /** `max_connections` of PostgreSQL. @default 100, as PostgreSQL */
  readonly maxConnections?: number
}

export interface Sizing {
  readonly replicas: number
  /** Replicas of the largest zone. */
  readonly lost: number
  /** Replicas that carry the target with the headroom. */
  readonly needed: number
  readonly maxReplicas: number
  /** Requests per second of each replica while a zone is lost. */
  readonly rate: number
  /** CPU use, as a percentage of the request, at which the autoscaler adds replicas. */
  readonly utilization: number
  readonly cpuMillis?: number
  readonly memoryMib?: { readonly request: number; readonly limit: number }
  readonly pool?: PoolSizing
  /** Cores of the database for the target with the headroom. */
  readonly databaseCores?: number
}

export interface PoolSizing {
  /** DATABASE_POOL_MAX of each instance. */
  readonly perInstance: number
  /** `max_connections` that PostgreSQL needs without a pooler. */
  readonly needed: number
  /** The pooler. Present when `needed` exceeds `max_connections`. */
  readonly pooler?: { readonly maxClientConn: number; readonly defaultPoolSize: number; readonly isEnough: boolean }
}

/** The migration, and `superuser_reserved_connections` of PostgreSQL. */
const RESERVED_CONNECTIONS = 1 + 3

/** `maxSurge` of the Deployment. */
const SURGE = 1

/**
 * Computes the replicas and the resources for a target. Returns undefined when the knee is 0, because no number of
 * replicas helps. The formulas are in docs/capacity.md.
 */
export function computeSizing(options: SizingOptions): Sizing | undefined {
  const { target, use, headroom = 0.3, zones = 3, maxConnections = 100 } = options
  if (use.ratePerSecond <= 0) return undefined
  const free = 1 - headroom
  const needed = ceil(target / (use.ratePerSecond * free))
  // The largest of the zones has `ceil(replicas / zones)` of them.
  const lostOf = (replicas: number) => (zones > 1 ? Math.ceil(replicas / zones) : 0)
  let replicas = needed
  while (replicas - lostOf(replicas) < needed) replicas++
  const lost = lostOf(replicas)
  const maxReplicas = 2 * replicas
  const rate = target / (replicas - lost)
  return {
    ...{ replicas, lost, needed, maxReplicas },
    rate,
    utilization: Math.floor(100 * free),
    ...(use.cpu !== undefined && { cpuMillis: Math.max(10, roundUp(use.cpu * 1_000, 10)) }),
    ...(use.rssBytes !== undefined && { memoryMib: sizeMemory(use.rssBytes, headroom) }),
    ...(use.connectionMs !== undefined && {
      pool: sizePool({ target, rate, free, maxReplicas, maxConnections, connectionMs: use.connectionMs }),
    }),
    ...(use.databaseCpuMs !== undefined && { databaseCores: (target * use.databaseCpuMs) / 1_000 / free }),
  }
}

/** The limit is twice the request, as in the Kubernetes manifests, because garbage collection needs room. */
function sizeMemory(rssBytes: number, headroom: number): { readonly request: number; readonly limit: number } {
  const request = roundUp((rssBytes * (1 + headroom)) / 1024 ** 2, 16)
  return { request, limit: 2 * request }
}

interface PoolInput {
  readonly target: number
  readonly rate: number
  readonly free: number
  readonly maxReplicas: number
  readonly maxConnections: number
  readonly connectionMs: number
}

/** Little's law: the mean number of busy connections is the rate times the time that a request holds a connection. */
function sizePool({ target, rate, free, maxReplicas, maxConnections, connectionMs }: PoolInput): PoolSizing {
  const connections = (ratePerSecond: number) => ceil((ratePerSecond * connectionMs) / 1_000 / free)
  // With one connection, a single slow transaction would stop the instance.
  const perInstance = Math.max(2, connections(rate))
  // The connections of all instances during a roll-out at the maximum of the autoscaler. Each instance has one more
  // connection for its health check.
  const clients = (maxReplicas + SURGE) * (perInstance + 1)
  const needed = clients + RESERVED_CONNECTIONS
  if (needed <= maxConnections) return { perInstance, needed }
  const defaultPoolSize = connections(target)
  const isEnough = defaultPoolSize + RESERVED_CONNECTIONS <= maxConnections
  return { perInstance, needed, pooler: { maxClientConn: clients, defaultPoolSize, isEnough } }
}

/** Rounds up, but ignores the rounding error of a division. */
const ceil = (value: number) => Math.max(1, Math.ceil(value - 1e-9))
const roundUp = (value: number, unit: number) => ceil(value / unit) * unit
