import type { Config, Name } from './env.ts'
import { type Environment, type ReadFile, readTextFile, readVariables, validate } from './load.ts'

/** The variables of `app bridge`. */
const NAMES = [
  'SERVICE_NAME',
  'HOST',
  'ADMIN_PORT',
  'LOG_LEVEL',
  'LOG_BUFFER',
  'LOG_BUFFER_MS',
  'REGISTRY',
  'REGISTRY_PASSWORD',
  'BRIDGE_SERVICE',
  'BRIDGE_INSTANCES',
  'BRIDGE_SINK',
  'BRIDGE_STATE',
  'BRIDGE_POLL_MS',
  'BRIDGE_GRACE_MS',
  'BRIDGE_ALLOW_EMPTY',
  'BRIDGE_NGINX',
] as const satisfies readonly Name[]

const REQUIRED = {
  BRIDGE_SINK: 'a proxy, such as haproxy:/run/haproxy/admin.sock/backend',
  BRIDGE_STATE: 'the file for the last good list, such as /var/lib/bridge/state.json',
} as const

type BridgeConfig = Config & { readonly [K in keyof typeof REQUIRED]: NonNullable<Config[K]> }

/** Reads the configuration of `app bridge`. @throws ConfigError with all problems together */
export function loadBridge(environment: Environment, readFile: ReadFile = readTextFile): BridgeConfig {
  const problems: string[] = []
  const values = readVariables(environment, NAMES, readFile, problems)
  const hasInstances = values['BRIDGE_INSTANCES'] !== undefined
  if (!hasInstances && values['REGISTRY'] === undefined) {
    problems.push('REGISTRY: got nothing, expected the address of a registry, such as consul://host:8500')
  }
  if (hasInstances && values['REGISTRY'] !== undefined) {
    problems.push('BRIDGE_INSTANCES: expected nothing, because REGISTRY is set')
  }
  for (const [name, expected] of Object.entries(REQUIRED)) {
    if (values[name] === undefined) problems.push(`${name}: got nothing, expected ${expected}`)
  }
  return validate(values, problems) as BridgeConfig
}
