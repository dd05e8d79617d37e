import { responseError } from './registry.ts'
import type { RegistryClient, RegistryRequest, RegistryResponse } from './registry-client.ts'

export interface EurekaSessionOptions {
  readonly client: Pick<RegistryClient, 'request'>
  /** User and password of basic authentication. @default none */
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** Sends requests to Eureka with the password of a user. */
export function createEurekaSession({ client, username, password }: EurekaSessionOptions) {
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const headers = {
    // Eureka responds with XML otherwise.
    accept: 'application/json',
    ...(username !== undefined && password !== undefined && { authorization: `Basic ${credentials}` }),
  }
  return {
    request: (request: RegistryRequest) => client.request({ ...request, headers }),
    /** Creates the error of a response that is not a success. `call` names the request. */
    createError: (call: string, response: RegistryResponse) =>
      responseError(`Eureka: ${call}`, response, [password, credentials]),
  }
}
