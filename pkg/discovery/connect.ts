import { createConsul } from './consul.ts'
import { createEureka } from './eureka.ts'
import { createNacos } from './nacos.ts'
import type { Registry } from './registry.ts'
import type { RegistryAddress } from './registry-address.ts'
import { createRegistryClient, type RegistryClient } from './registry-client.ts'

export interface ConnectOptions {
  readonly password?: string | undefined
  /** Pause between two lists of a watch, in milliseconds. Consul ignores it and reports each change. @default 1_000 */
  readonly pollMs?: number
  /** @default a client with the limits of `createRegistryClient` */
  readonly client?: Pick<RegistryClient, 'request'>
}

/** Creates the registry of an address. Sends no request yet. */
export function connectRegistry(address: RegistryAddress, options: ConnectOptions = {}): Registry {
  const { password, pollMs, client = createRegistryClient({ origin: address.origin }) } = options
  switch (address.kind) {
    case 'consul':
      return createConsul({ client, password })
    case 'nacos':
      return createNacos({ client, password, pollMs, ...address })
    case 'eureka':
      return createEureka({ client, password, pollMs, ...address })
  }
}
