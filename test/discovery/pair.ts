import type { RunningProxy } from '../support/deploy/proxy.ts'
import type { TestRegistry } from './registry.ts'

/** A proxy whose instances come from the bridge. */
export interface ListedProxy extends RunningProxy {
  /** Variables of the bridge: BRIDGE_SINK and what the sink needs. */
  readonly bridge: Readonly<Record<string, string>>
  /** Returns `host:port` of the instances that the bridge has given to the proxy, sorted. */
  listed(): Promise<readonly string[]>
  /** Returns the listed instances that also pass the health checks of the proxy, sorted. */
  usable(): Promise<readonly string[]>
}

/** A registry and a proxy that `app bridge` connects. */
export interface Pair {
  readonly name: string
  /**
   * DRAIN_DELAY_MS of the service. It exceeds the time from a deregistration to the proxy's new list. With a shorter
   * delay, the proxy may learn the removal of an instance when it has already restarted and the next one stops.
   */
  readonly drainDelayMs: number
  startRegistry(): Promise<TestRegistry>
  startProxy(): Promise<ListedProxy>
  /** Settings of REGISTRY or REGISTRY_PASSWORD that the registry must reject. */
  mistakes(registry: TestRegistry): readonly { readonly name: string; readonly env: Readonly<Record<string, string>> }[]
}

/** Returns the variables that connect a service or a bridge with the registry. */
export const registryEnv = ({ address, password }: TestRegistry): Record<string, string> => ({
  REGISTRY: address,
  ...(password !== undefined && { REGISTRY_PASSWORD: password }),
})
