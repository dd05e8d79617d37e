import { type Config, type Name, SECRETS } from './env.ts'
import {
  ConfigError,
  type Environment,
  type ReadFile,
  readSecrets,
  readTextFile,
  validate,
  withEnvFile,
} from './load.ts'

/** The variables of `app bridge`. It ignores other variables, so that an invalid database URL cannot stop it. */
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

type Required = { readonly [K in keyof typeof REQUIRED]: NonNullable<Config[K]> }

/** Reads the configuration of `app bridge`. @throws ConfigError with all problems together */
export function loadBridge(
  environment: Environment,
  readFile: ReadFile = readTextFile,
): Pick<Config, (typeof NAMES)[number]> & Required {
  const problems: string[] = []
  const given = withEnvFile(environment, readFile)
  const names = NAMES.flatMap((name) => (SECRETS.has(name) ? [name, `${name}_FILE`] : [name]))
  const values = readSecrets(Object.fromEntries(names.map((name) => [name, given[name]])), readFile, problems)
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
  const { BRIDGE_SINK, BRIDGE_STATE, ...config } = validate(
    Object.fromEntries(NAMES.map((name) => [name, values[name]])),
    problems,
  )
  if (problems.length > 0 || BRIDGE_SINK === undefined || BRIDGE_STATE === undefined) throw new ConfigError(problems)
  return { ...config, BRIDGE_SINK, BRIDGE_STATE }
}
