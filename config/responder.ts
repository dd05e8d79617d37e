import { type Config, type Name, schema } from './env.ts'
import { type Environment, maskUrl, type ReadFile, readTextFile, readVariables, validate } from './load.ts'

/** The variables of `app respond`. */
const NAMES = [
  'SERVICE_NAME',
  'NODE_ENV',
  'HOST',
  'HEADERS_TIMEOUT_MS',
  'REQUEST_TIMEOUT_MS',
  'KEEP_ALIVE_TIMEOUT_MS',
  'SOCKET_TIMEOUT_MS',
  'LOG_LEVEL',
  'LOG_BUFFER',
  'LOG_BUFFER_MS',
  'UPSTREAMS',
  // The value of the environment applies while SETTINGS_FILE does not contain the name.
  'UPSTREAM_OPEN',
  'FEATURES',
  'SETTINGS_FILE',
  'DRAIN_DELAY_MS',
  'SHUTDOWN_TIMEOUT_MS',
  'RESPONDER_PORT',
  'RESPONDER_RULES',
  'RESPONDER_STATE',
  'RESPONDER_SECRET',
  'RESPONDER_DRY_RUN',
  'RESPONDER_WECOM_URL',
  'RESPONDER_PROMETHEUS',
] as const satisfies readonly Name[]

const REQUIRED = ['RESPONDER_RULES', 'RESPONDER_STATE', 'RESPONDER_SECRET'] as const

/** The values that the rules may refer to. */
interface RuleContext {
  readonly hasSettings: boolean
  readonly hasRobot: boolean
  readonly upstreams: readonly string[]
  readonly isFeature: (name: string) => boolean
}

type ParseRules<Rules> = (
  text: string,
  context: RuleContext,
) => { readonly rules?: Rules; readonly problems: readonly string[] }

type ResponderConfig<Rules> = Config & { readonly [K in (typeof REQUIRED)[number]]: string } & { readonly rules: Rules }

/**
 * Reads the variables and the rules of `app respond`. It does not read SETTINGS_FILE: only the service uses its values.
 *
 * @throws ConfigError with all problems together
 */
export function loadResponder<Rules>(
  environment: Environment,
  parseRules: ParseRules<Rules>,
  readFile: ReadFile = readTextFile,
): ResponderConfig<Rules> {
  const problems: string[] = []
  const values = readVariables(environment, NAMES, readFile, problems)
  for (const name of REQUIRED) {
    if (!values[name] && !values[`${name}_FILE`])
      problems.push(`${name}: got nothing, expected a value for app respond`)
  }
  const upstreams = schema.UPSTREAMS.safeParse(values['UPSTREAMS']).data ?? []
  const context: RuleContext = {
    hasSettings: values['SETTINGS_FILE'] !== undefined,
    hasRobot: values['RESPONDER_WECOM_URL'] !== undefined,
    upstreams: upstreams.map(({ name }) => name),
    isFeature: (name) => name !== 'none' && schema.FEATURES.safeParse(name).success,
  }
  // `validate` reports an invalid path.
  const rules = readRules(schema.RESPONDER_RULES.safeParse(values['RESPONDER_RULES']).data, context)
  const config = validate(values, problems)
  return { ...config, rules } as ResponderConfig<Rules>

  function readRules(path: string | undefined, context: RuleContext): Rules | undefined {
    if (path === undefined) return undefined
    try {
      const { rules, problems: found } = parseRules(readFile(path), context)
      problems.push(...found.map((problem) => `RESPONDER_RULES: ${problem}`))
      return rules
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      problems.push(`RESPONDER_RULES: got ${JSON.stringify(maskUrl(path))}, expected a file that can be read (${code})`)
      return undefined
    }
  }
}
