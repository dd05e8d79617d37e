import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import {
  connectRegistry,
  createRegistration,
  localAddress,
  parseRegistry,
  type RegistrationEvent,
  type RegistryAddress,
} from '#pkg/discovery/index.ts'
import type { Health } from '#pkg/health/index.ts'
import type { Lifecycle, Part } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Sources } from '#pkg/metrics/index.ts'
import { logEvent } from './telemetry/log-events.ts'

export interface DiscoveryDeps {
  /** Address of the registry, such as `consul://host:8500`. */
  readonly registry: string
  readonly password: string | undefined
  /** Address of this instance for its clients. @default the result of `localAddress`, and the port of `listener` */
  readonly advertise: { readonly host: string; readonly port: number } | undefined
  readonly service: string
  readonly version: string
  readonly listener: { address(): AddressInfo | string | null }
  readonly lifecycle: Pick<Lifecycle, 'phase'>
  readonly health: Pick<Health, 'snapshot' | 'watch'>
  readonly logger: Logger
  /** @default no metrics */
  readonly sources?: Sources | undefined
}

/** Composes the registration of this instance, with its check, metrics and log lines. */
export function createDiscovery(deps: DiscoveryDeps): Part {
  const { registry: url, password, advertise, service, version, listener, lifecycle, health, logger, sources } = deps
  const address = parseRegistry(url)

  /** @throws when the service listens on a socket file and `advertise` is missing */
  function findPort(): number {
    const own = listener.address()
    if (advertise !== undefined) return advertise.port
    if (typeof own === 'object' && own !== null) return own.port
    throw new Error('the service listens on a socket file, so ADVERTISE must be set')
  }

  async function locate() {
    const host = advertise?.host ?? (await findHost(address))
    const port = findPort()
    return { id: `${service}-${host || hostname()}-${port}`, service, version, host, port }
  }

  const results = new Map<string, number>()
  const registration = createRegistration({
    registry: connectRegistry(address, { password }),
    locate,
    isReady: () => lifecycle.phase() === 'serving' && health.snapshot().status === 'ok',
    onEvent: logRegistration(logger),
    onCall(operation, result) {
      const key = `${operation} ${result}`
      results.set(key, (results.get(key) ?? 0) + 1)
    },
  })
  if (sources) addMetrics(sources, () => registration.report().isRegistered, results)
  health.watch({
    name: 'registry',
    async check() {
      const { lastError } = registration.report()
      if (lastError !== undefined) throw lastError
    },
    // Not critical: otherwise a registry that is down would make all instances unready.
    critical: () => false,
  })
  return {
    name: 'registry',
    start() {
      findPort()
      registration.start()
    },
    drain: () => registration.stop(),
    stop: () => registration.stop(),
  }
}

/** Returns an empty text when the agent of Consul is on this machine: the entry then has the address of the agent. */
async function findHost({ kind, host, port }: RegistryAddress): Promise<string> {
  const address = await localAddress(host, port)
  return kind === 'consul' && /^(127\.|::1$)/.test(address) ? '' : address
}

/** Logs each change of the registration. */
export const logRegistration = (logger: Logger) => (event: RegistrationEvent) => {
  const target = { 'service.target.name': 'registry' }
  if ('error' in event) {
    const message = event.type === 'failing' ? 'registration failed' : 'not deregistered'
    return logEvent(logger, 'warn', message, { ...target, err: event.error })
  }
  const { host, port } = event.instance
  const fields = { ...target, 'server.address': host || undefined, 'server.port': port }
  switch (event.type) {
    case 'registered':
      return logEvent(logger, 'info', event.isAgain ? 'registered again' : 'registered', fields)
    case 'forgotten':
      return logEvent(logger, 'warn', 'registration lost', fields)
    case 'in service':
      return logEvent(logger, 'info', 'instance in service', fields)
    case 'out of service':
      return logEvent(logger, 'info', 'instance out of service', fields)
    case 'deregistered':
      return logEvent(logger, 'info', event.type, fields)
  }
}

/** @param results the number of calls by operation and result, such as `renew ok` */
export function addMetrics(
  { gauge, counter }: Sources,
  isRegistered: () => boolean,
  results: ReadonlyMap<string, number>,
): void {
  gauge('discovery_registered', 'Whether the registry has confirmed the last call of this instance.', () =>
    Number(isRegistered()),
  )
  counter('discovery_calls_total', 'Calls to the registry by their result.', () =>
    [...results].map(([key, value]) => {
      const [operation = '', result = ''] = key.split(' ')
      return { labels: { operation, result }, value }
    }),
  )
}
