/** A process of the link, whose CPU time includes its children. */
export interface LinkProcess {
  readonly name: string
  readonly kind: 'service' | 'proxy' | 'database' | 'redis' | 'upstream'
  readonly pid: number
}

/** Where to send the load, and where to read the evidence. Each source of evidence is optional. */
export interface Target {
  /** The address of the proxy or of the service. */
  readonly url: string
  /** The addresses of the instances' metrics, such as http://127.0.0.1:9464/metrics. @default none */
  readonly metrics?: readonly string[]
  /** Processes on this machine. @default none */
  readonly processes?: readonly LinkProcess[]
  /** Reads `pg_stat_activity`. @default none */
  readonly databaseUrl?: string
  /** Pins the generator to a core. @default every core */
  readonly generatorCore?: number
}

/** The state of the link during the measured part of a step. A part without a source is undefined. */
export interface Evidence {
  readonly generator: {
    /** 99th percentile of the delay between the intended start of a request and its start, in milliseconds. */
    readonly lagMs: number
    /** CPU use in cores. Undefined without /proc. */
    readonly cpu?: number
  }
  /** CPU use in cores. */
  readonly processes?: readonly (Pick<LinkProcess, 'name' | 'kind'> & { readonly cpu: number })[]
  /** The cores of this machine, and the share of their time in use by all programs. */
  readonly machine?: { readonly cores: number; readonly busy: number }
  /** The connections to PostgreSQL of all instances. */
  readonly pool?: {
    /** Mean number of connections in use. */
    readonly used: number
    /** Mean number of open connections. */
    readonly open: number
    /** Mean number of operations that waited for a connection. */
    readonly pending: number
    /** Operations that got no connection in time. */
    readonly timeouts: number
  }
  /** The instance with the busiest event loop. */
  readonly loop?: {
    /** Share of the time in which the event loop was busy. */
    readonly utilization: number
    /** Largest 99th percentile between two scrapes, in milliseconds. */
    readonly delayMs: number
  }
  /** Present with OVERLOAD_WAIT_MS. */
  readonly admission?: { readonly refused: number; readonly isBrownout: boolean }
  /** Present with UPSTREAMS. */
  readonly upstream?: {
    /** Largest number of requests in progress. */
    readonly inFlight: number
    /** Calls that were not sent because too many were in progress. */
    readonly rejectedByConcurrency: number
  }
  /** Mean number of backends by activity: `CPU`, or the event that the backend waits for, such as `Lock:tuple`. */
  readonly database?: Readonly<Record<string, number>>
}
