import type { RegistryResponse } from './registry-client.ts'

/** The instance that this process registers. */
export interface ServiceInstance {
  /** The same after a restart of the process, so that the new process replaces the entry of the old process. */
  readonly id: string
  readonly service: string
  readonly version: string
  /** The address for clients. Empty: the address of the Consul agent. Only Consul accepts an empty address. */
  readonly host: string
  readonly port: number
  /** True while clients should use the instance. */
  readonly isReady: boolean
}

/** An instance in a list of the registry. Host and port are not validated. */
export interface Instance {
  /** The registry's own id of the instance. */
  readonly id: string
  readonly host: string
  readonly port: number
  /** Share of the requests in relation to the other instances. 0 means no new requests. @default 1 */
  readonly weight?: number
}

/**
 * Calls `onInstances` with every list that the registry returns, whether or not it has changed, and `onError` for every
 * failed request. An empty list means that the registry has responded and lists no usable instance. Resolves once
 * `signal` has aborted. Never rejects.
 */
export type Watch = (
  onInstances: (instances: readonly Instance[]) => void,
  onError: (error: Error) => void,
  signal: AbortSignal,
) => Promise<void>

/** A registry of instances. `register`, `renew` and `deregister` reject when the registry does not confirm the call. */
export interface Registry {
  /** Adds the instance, or replaces its entry, so that the entry has the readiness of `instance`. */
  register(instance: ServiceInstance, signal: AbortSignal): Promise<void>
  /** Extends the registration. `unknown`: the registry has no entry of the instance. */
  renew(instance: ServiceInstance, signal: AbortSignal): Promise<'renewed' | 'unknown'>
  /** Removes the instance. Succeeds when the registry has no entry of it. */
  deregister(instance: ServiceInstance, signal: AbortSignal): Promise<void>
  /** Time between two renewals, in milliseconds. */
  readonly renewIntervalMs: number
  /** Watches the usable instances of a service. */
  watch(service: string): Watch
}

/** Time between two renewals, in milliseconds: the interval of Nacos' own clients. */
export const RENEW_INTERVAL_MS = 5_000

/** Time after which a registry stops listing an instance without renewals, in seconds. */
export const LEASE_S = 15

/** A registry has responded with an error. `reason` is in the list of reasons that a health response may show. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly status: number
  readonly reason: 'unauthorized' | 'unhealthy'

  constructor(message: string, status: number) {
    super(message)
    this.status = status
    this.reason = status === 401 || status === 403 ? 'unauthorized' : 'unhealthy'
  }
}

const MAX_QUOTED = 200

/** Creates an error that quotes the beginning of the response. Secrets and control characters are replaced. */
export function responseError(
  call: string,
  { status, body }: Pick<RegistryResponse, 'status' | 'body'>,
  secrets: readonly (string | undefined)[] = [],
): RegistryError {
  // Mask before cutting: a secret that is cut would not be recognised.
  const masked = secrets.reduce<string>((text, secret) => (secret ? text.replaceAll(secret, '***') : text), body)
  const quoted = masked.slice(0, MAX_QUOTED).replace(/[^\x21-\x7e]+/g, ' ')
  return new RegistryError(`${call}: status ${status}, ${JSON.stringify(quoted)}`, status)
}
