import { responseError } from './registry.ts'
import type { RegistryClient, RegistryRequest, RegistryResponse } from './registry-client.ts'

export interface ConsulSessionOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** ACL token. @default none */
  readonly password?: string | undefined
}

/** Sends requests to a Consul agent with an ACL token. */
export function createConsulSession({ client, password }: ConsulSessionOptions) {
  const headers = password === undefined ? {} : { 'x-consul-token': password }
  return {
    request: (request: RegistryRequest) => client.request({ ...request, headers }),
    /** Creates the error of a response that is not a success. `call` names the request. */
    createError: (call: string, response: RegistryResponse) => responseError(`Consul: ${call}`, response, [password]),
  }
}
