import type { UpstreamReport } from '#pkg/upstream/index.ts'

const instance = { latencyMs: 20, success: 1, isFailing: false }
/** The state of an upstream with two instances in use and one ejected instance. */
export const upstreamReport = (): UpstreamReport => ({
  upstream: 'payments',
  circuit: 'half-open',
  inProgress: 3,
  concurrency: 256,
  retriesLeft: 9.5,
  retries: 4,
  retriesWithoutBudget: 2,
  rejectedByBreaker: 7,
  rejectedByConcurrency: 1,
  fallbacks: 5,
  instances: [
    { ...instance, origin: 'http://a:80', isEjected: false, inFlight: 2, idleConnections: 1, activeConnections: 2 },
    { ...instance, origin: 'http://b:80', isEjected: false, inFlight: 1, idleConnections: 4, activeConnections: 1 },
    { ...instance, origin: 'http://c:80', isEjected: true, inFlight: 0, idleConnections: 0, activeConnections: 0 },
  ],
})
