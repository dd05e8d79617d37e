export { connectRegistry } from './connect.ts'
export { localAddress } from './local-address.ts'
export { createRegistration, type RegistrationEvent } from './registration.ts'
export { parseRegistry, type RegistryAddress } from './registry-address.ts'
