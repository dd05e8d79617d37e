import type { UpstreamReport } from '#pkg/upstream/index.ts'

/**
 * The health check of an upstream. It reads the state in memory, because the client itself probes its instances.
 *
 * @throws an error with a reason that a health response may show
 */
export function requireUsable({ circuit, instances }: UpstreamReport): void {
  if (circuit === 'open' || circuit === 'isolated') fail('unhealthy', `the circuit is ${circuit}`)
  if (instances.length === 0) fail('unresolved', 'no instance is known')
  if (instances.every(({ isFailing }) => isFailing)) fail('refused', 'every instance fails')
}

function fail(reason: string, message: string): never {
  throw Object.assign(new Error(message), { reason })
}
